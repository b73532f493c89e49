CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.attempts (
    id integer NOT NULL,
    token character varying(64) NOT NULL,
    study_id integer NOT NULL,
    trial integer NOT NULL,
    attempt integer NOT NULL,
    worker_id character varying(32) NOT NULL,
    request_id character varying(36) NOT NULL,
    outcome character varying(20),
    message text,
    traceback text,
    started_at double precision NOT NULL,
    finished_at double precision,
    kind character varying(10) DEFAULT 'trial'::character varying NOT NULL
);
CREATE SEQUENCE public.attempts_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.attempts_id_seq OWNED BY public.attempts.id;
CREATE TABLE public.checkpoints (
    study_id integer NOT NULL,
    trial integer NOT NULL,
    attempt integer NOT NULL,
    sha256 character varying(64) NOT NULL,
    content bytea NOT NULL,
    saved_at double precision NOT NULL
);
CREATE TABLE public.range_tests (
    study_id integer NOT NULL,
    number integer NOT NULL,
    optimizer character varying(100) NOT NULL,
    setup text NOT NULL,
    key character varying(64) NOT NULL,
    reuse boolean NOT NULL,
    state character varying(20) NOT NULL,
    message text,
    attempts integer NOT NULL,
    lost integer NOT NULL,
    worker text,
    losses text,
    suggestions text NOT NULL,
    low double precision,
    high double precision,
    reused_from character varying(100),
    started_at double precision,
    finished_at double precision
);
CREATE TABLE public.reports (
    study_id integer NOT NULL,
    trial integer NOT NULL,
    attempt integer NOT NULL,
    step integer NOT NULL,
    value double precision,
    learning_rate double precision,
    metrics text NOT NULL,
    verdict character varying(10) NOT NULL,
    reason text NOT NULL,
    revision integer NOT NULL,
    reported_at double precision NOT NULL
);
CREATE TABLE public.studies (
    id integer NOT NULL,
    name character varying(100) NOT NULL,
    definition text NOT NULL,
    seed bigint NOT NULL,
    state character varying(20) NOT NULL,
    reason text,
    revision integer NOT NULL,
    waiting integer NOT NULL,
    running integer NOT NULL,
    complete integer NOT NULL,
    pruned integer NOT NULL,
    fail integer NOT NULL,
    returned integer NOT NULL,
    failures integer NOT NULL,
    epochs integer NOT NULL,
    finished_epochs integer NOT NULL,
    exhausted boolean NOT NULL,
    virtual_time double precision NOT NULL,
    attrs text NOT NULL,
    created_at double precision NOT NULL,
    finished_at double precision,
    range_tests_waiting integer DEFAULT 0 NOT NULL,
    range_tests_running integer DEFAULT 0 NOT NULL
);
CREATE SEQUENCE public.studies_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.studies_id_seq OWNED BY public.studies.id;
CREATE TABLE public.tokens (
    id character varying(16) NOT NULL,
    name text NOT NULL,
    role character varying(20) NOT NULL,
    digest character varying(64) NOT NULL,
    created_at double precision NOT NULL,
    expires_at double precision,
    last_used_at double precision,
    revoked_at double precision
);
CREATE TABLE public.trials (
    id integer NOT NULL,
    study_id integer NOT NULL,
    number integer NOT NULL,
    state character varying(20) NOT NULL,
    reason text,
    fixed_params text NOT NULL,
    params text,
    value double precision,
    objective_values text,
    metrics text NOT NULL,
    attempts integer NOT NULL,
    lost integer NOT NULL,
    steps integer NOT NULL,
    worker text,
    attrs text NOT NULL,
    revision integer NOT NULL,
    created_at double precision NOT NULL,
    started_at double precision,
    finished_at double precision
);
CREATE SEQUENCE public.trials_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trials_id_seq OWNED BY public.trials.id;
CREATE TABLE public.workers (
    id character varying(32) NOT NULL,
    name text NOT NULL,
    tasks text NOT NULL,
    devices text NOT NULL,
    versions text NOT NULL,
    draining boolean NOT NULL,
    lost boolean NOT NULL,
    registered_at double precision NOT NULL,
    heard_at double precision NOT NULL,
    deadline double precision NOT NULL,
    abilities text DEFAULT '[]'::text NOT NULL,
    token_id character varying(16)
);
ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq'::regclass);
ALTER TABLE ONLY public.studies ALTER COLUMN id SET DEFAULT nextval('public.studies_id_seq'::regclass);
ALTER TABLE ONLY public.trials ALTER COLUMN id SET DEFAULT nextval('public.trials_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0004');
INSERT INTO public.attempts VALUES (1, '1-b555fbd11d275c908c23bf4d93687f28', 1, 0, 1, 'd96984409ea3b454e2a0e89d33d682e7', 'f50a0c35-f33b-4764-a58a-66af89ba4bd9', 'complete', NULL, NULL, 1795268721.181366, 1795268721.3307958, 'trial');
INSERT INTO public.attempts VALUES (2, '2-fec14b823d54dab0b3e685eccf4f1d85', 2, 0, 1, 'd96984409ea3b454e2a0e89d33d682e7', '3802ad94-e5d3-44cc-9658-96c7d0df1aa9', 'complete', NULL, NULL, 1795268721.4965131, 1795268721.6035075, 'trial');
INSERT INTO public.attempts VALUES (3, '2-da60a96750d1480ca42aca8dcf015272', 2, 1, 1, 'd96984409ea3b454e2a0e89d33d682e7', '88c364b6-37bd-414b-a867-2f50e79e9058', 'pruned', 'the threshold pruner: 0.05 at step 0 is below 0.1', NULL, 1795268721.6388073, 1795268721.674618, 'trial');
INSERT INTO public.attempts VALUES (4, '2-15c320678f0b32b3bf27d7aae66467ad', 2, 2, 1, 'd96984409ea3b454e2a0e89d33d682e7', '7951cf07-dd70-408c-a5ec-6b945e6358d6', 'error', 'ValueError: no', 'Traceback', 1795268721.6950982, 1795268721.7329772, 'trial');
INSERT INTO public.attempts VALUES (6, '2-1055ed79fe3c70fdb97bee7ff38a8e59', 2, 4, 1, 'd96984409ea3b454e2a0e89d33d682e7', '351d43f2-479d-4f91-b9c3-875155c7b6cf', NULL, NULL, NULL, 1795268721.7783995, NULL, 'trial');
INSERT INTO public.attempts VALUES (5, '2-46857340143773cd9c40c07e3a00831b', 2, 3, 1, 'd96984409ea3b454e2a0e89d33d682e7', '968c2d25-64da-4402-9477-ca9edcf301e0', 'preempted', 'handed back', NULL, 1795268721.758155, 1795268721.8715, 'trial');
INSERT INTO public.attempts VALUES (7, '3-d99933a4e160367d2b095926c441ba5f', 3, 0, 1, 'd96984409ea3b454e2a0e89d33d682e7', '2ded42d7-baf0-4121-a9c8-82133da74eb6', NULL, NULL, NULL, 1795268722.003496, NULL, 'range_test');
INSERT INTO public.checkpoints VALUES (2, 4, 1, '9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c', '\x77656967687473', 1795268721.8523984);
INSERT INTO public.range_tests VALUES (3, 0, 'adam', '{"optimizer":{"name":"adam"},"parameters":{},"start":1e-06,"end":1.0,"updates":200,"seeds":[0,1,2,3]}', '57c58a4582529a1916a425ed9d25204676d49ea987a0f912c2d798b3943e69a8', true, 'running', NULL, 1, 0, 'old', NULL, '{}', NULL, NULL, NULL, 1795268722.003496, NULL);
INSERT INTO public.reports VALUES (1, 0, 1, 0, 0.3, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 2, 1795268721.250164);
INSERT INTO public.reports VALUES (1, 0, 1, 1, 0.4, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 3, 1795268721.2859194);
INSERT INTO public.reports VALUES (1, 0, 1, 2, 0.5, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 2', 4, 1795268721.3106034);
INSERT INTO public.reports VALUES (2, 0, 1, 0, 0.5, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 2, 1795268721.5306234);
INSERT INTO public.reports VALUES (2, 0, 1, 1, 0.7, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 3, 1795268721.553779);
INSERT INTO public.reports VALUES (2, 0, 1, 2, 0.6, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 2', 4, 1795268721.5747027);
INSERT INTO public.reports VALUES (2, 1, 1, 0, 0.05, 0.1, '{"loss":1.0}', 'prune', 'the threshold pruner: 0.05 at step 0 is below 0.1', 7, 1795268721.674618);
INSERT INTO public.reports VALUES (2, 2, 1, 0, 0.4, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 9, 1795268721.7209952);
INSERT INTO public.reports VALUES (2, 3, 1, 0, 0.2, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 13, 1795268721.7969584);
INSERT INTO public.reports VALUES (2, 4, 1, 0, 0.25, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 14, 1795268721.8119538);
INSERT INTO public.reports VALUES (2, 4, 1, 1, 0.35, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 15, 1795268721.8358498);
INSERT INTO public.studies VALUES (1, 'done', '{"name": "done", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 1}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'completed', 'all 1 trials are finished (max_trials)', 5, 0, 0, 1, 0, 0, 0, 0, 3, 3, false, 1, '{}', 1795268721.0491312, 1795268721.3307958, 0, 0);
INSERT INTO public.studies VALUES (2, 'under-way', '{"name": "under-way", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'active', NULL, 17, 2, 1, 1, 1, 1, 1, 1, 8, 5, false, 5, '{}', 1795268721.3988085, NULL, 0, 0);
INSERT INTO public.studies VALUES (3, 'tested', '{"name": "tested", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"adam": {"learning_rate": {"range_test": {}}}}, "schedule": {"constant": {}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'active', NULL, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, false, 6, '{}', 1795268721.90172, NULL, 0, 1);
INSERT INTO public.trials VALUES (1, 1, 0, 'complete', NULL, '{}', '{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}', 0.5, NULL, '{"loss":0.5}', 1, 0, 3, 'old', '{}', 5, 1795268721.181366, 1795268721.181366, 1795268721.3307958);
INSERT INTO public.trials VALUES (2, 2, 0, 'complete', NULL, '{}', '{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}', 0.6, NULL, '{}', 1, 0, 3, 'old', '{}', 5, 1795268721.4965131, 1795268721.4965131, 1795268721.6035075);
INSERT INTO public.trials VALUES (3, 2, 1, 'pruned', NULL, '{}', '{"optimizer":"sgd","sgd.learning_rate":0.07147937121918604,"schedule":"constant"}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 7, 1795268721.6388073, 1795268721.6388073, 1795268721.674618);
INSERT INTO public.trials VALUES (4, 2, 2, 'fail', 'error', '{}', '{"optimizer":"sgd","sgd.learning_rate":0.265892009566615,"schedule":"cosine","cosine.alpha":0.07158732886668602}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 10, 1795268721.6950982, 1795268721.6950982, 1795268721.7329772);
INSERT INTO public.trials VALUES (6, 2, 4, 'running', NULL, '{}', '{"optimizer":"sgd","sgd.learning_rate":0.0010965139826749262,"schedule":"cosine","cosine.alpha":0.09838027865971004}', NULL, NULL, '{}', 1, 0, 2, 'old', '{}', 15, 1795268721.7783995, 1795268721.7783995, NULL);
INSERT INTO public.trials VALUES (5, 2, 3, 'waiting', 'its worker handed it back; it will run again', '{}', '{"optimizer":"adam","adam.learning_rate":3.4076981137224386e-05,"schedule":"constant"}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 16, 1795268721.758155, 1795268721.758155, NULL);
INSERT INTO public.trials VALUES (7, 2, 5, 'waiting', NULL, '{"optimizer":"sgd","sgd.learning_rate":0.01,"schedule":"constant"}', NULL, NULL, NULL, '{}', 0, 0, 0, NULL, '{}', 17, 1795268721.8891103, NULL, NULL);
INSERT INTO public.workers VALUES ('d96984409ea3b454e2a0e89d33d682e7', 'old', '{"task":{}}', '["GPU 0"]', '{"lehr":"0.1.0"}', false, false, 1795268721.01122, 1795268722.003496, 1795269322.003496, '["range_test"]', NULL);
SELECT pg_catalog.setval('public.attempts_id_seq', 7, true);
SELECT pg_catalog.setval('public.studies_id_seq', 3, true);
SELECT pg_catalog.setval('public.trials_id_seq', 7, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT pk_attempts PRIMARY KEY (id);
ALTER TABLE ONLY public.checkpoints
    ADD CONSTRAINT pk_checkpoints PRIMARY KEY (study_id, trial);
ALTER TABLE ONLY public.range_tests
    ADD CONSTRAINT pk_range_tests PRIMARY KEY (study_id, number);
ALTER TABLE ONLY public.reports
    ADD CONSTRAINT pk_reports PRIMARY KEY (study_id, trial, attempt, step);
ALTER TABLE ONLY public.studies
    ADD CONSTRAINT pk_studies PRIMARY KEY (id);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT pk_tokens PRIMARY KEY (id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT pk_trials PRIMARY KEY (id);
ALTER TABLE ONLY public.workers
    ADD CONSTRAINT pk_workers PRIMARY KEY (id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT uq_attempts_study_id_kind_trial_attempt UNIQUE (study_id, kind, trial, attempt);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT uq_attempts_token UNIQUE (token);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT uq_attempts_worker_id_request_id UNIQUE (worker_id, request_id);
ALTER TABLE ONLY public.studies
    ADD CONSTRAINT uq_studies_name UNIQUE (name);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT uq_trials_study_id_number UNIQUE (study_id, number);
CREATE INDEX ix_attempts_open ON public.attempts USING btree (worker_id) WHERE (outcome IS NULL);
CREATE INDEX ix_attempts_running ON public.attempts USING btree (worker_id, outcome);
CREATE INDEX ix_range_tests_key_state ON public.range_tests USING btree (key, state);
CREATE INDEX ix_reports_study_id_revision ON public.reports USING btree (study_id, revision);
CREATE INDEX ix_studies_state ON public.studies USING btree (state);
CREATE INDEX ix_trials_study_id_revision ON public.trials USING btree (study_id, revision);
CREATE INDEX ix_trials_study_id_state_number ON public.trials USING btree (study_id, state, number);
CREATE INDEX ix_trials_study_id_value ON public.trials USING btree (study_id, value);
CREATE INDEX ix_workers_lost_deadline ON public.workers USING btree (lost, deadline);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT fk_attempts_study_id FOREIGN KEY (study_id) REFERENCES public.studies(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT fk_attempts_worker_id FOREIGN KEY (worker_id) REFERENCES public.workers(id);
ALTER TABLE ONLY public.checkpoints
    ADD CONSTRAINT fk_checkpoints_study_id FOREIGN KEY (study_id) REFERENCES public.studies(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.range_tests
    ADD CONSTRAINT fk_range_tests_study_id FOREIGN KEY (study_id) REFERENCES public.studies(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.reports
    ADD CONSTRAINT fk_reports_study_id FOREIGN KEY (study_id) REFERENCES public.studies(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT fk_trials_study_id FOREIGN KEY (study_id) REFERENCES public.studies(id) ON DELETE CASCADE;
