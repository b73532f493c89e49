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
    abilities text DEFAULT '[]'::text NOT NULL
);
ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq'::regclass);
ALTER TABLE ONLY public.studies ALTER COLUMN id SET DEFAULT nextval('public.studies_id_seq'::regclass);
ALTER TABLE ONLY public.trials ALTER COLUMN id SET DEFAULT nextval('public.trials_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0002');
INSERT INTO public.attempts VALUES (1, '1-1bc1443f70319b1c872fbf68dc68fb8f', 1, 0, 1, '00820c807086834f6f8d816772865ce2', '31568bd8-f5b9-4f7a-818a-ed40726b9eff', 'complete', NULL, NULL, 1795268690.2294438, 1795268690.473554, 'trial');
INSERT INTO public.attempts VALUES (2, '2-03ec24b3c3ebb0fd1b1ee80be818a36d', 2, 0, 1, '00820c807086834f6f8d816772865ce2', '594b14de-0c23-4a2d-8df1-3167ed566bdd', 'complete', NULL, NULL, 1795268690.767349, 1795268690.9480355, 'trial');
INSERT INTO public.attempts VALUES (3, '2-b87f34044354d263004e7a76a713aca3', 2, 1, 1, '00820c807086834f6f8d816772865ce2', '0722f9f8-fcf8-47e2-9ee8-13919649976c', 'pruned', 'the threshold pruner: 0.05 at step 0 is below 0.1', NULL, 1795268690.964142, 1795268690.975782, 'trial');
INSERT INTO public.attempts VALUES (4, '2-5adf7927447d14d85cfc8209bc2c97df', 2, 2, 1, '00820c807086834f6f8d816772865ce2', '86eb7b88-9927-4505-8255-95437da7e933', 'error', 'ValueError: no', 'Traceback', 1795268690.9898353, 1795268691.0192688, 'trial');
INSERT INTO public.attempts VALUES (6, '2-442777c3142a36aaf4c51ee712e50957', 2, 4, 1, '00820c807086834f6f8d816772865ce2', '0fb06858-8d60-455f-999d-7b161bd45508', NULL, NULL, NULL, 1795268691.184971, NULL, 'trial');
INSERT INTO public.attempts VALUES (5, '2-87895ccd5c4dc55dd1eccd18753f906a', 2, 3, 1, '00820c807086834f6f8d816772865ce2', '849b2f52-7f54-4982-a742-dc4d75471a00', 'preempted', 'handed back', NULL, 1795268691.037268, 1795268691.2735362, 'trial');
INSERT INTO public.attempts VALUES (7, '3-999e8800df6eb2bddca03d4a6a1e662c', 3, 0, 1, '00820c807086834f6f8d816772865ce2', '0c6f4279-8fca-4faa-8be3-4bcb971b485c', NULL, NULL, NULL, 1795268691.4386117, NULL, 'range_test');
INSERT INTO public.checkpoints VALUES (2, 4, 1, '9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c', '\x77656967687473', 1795268691.231491);
INSERT INTO public.range_tests VALUES (3, 0, 'adam', '{"optimizer":{"name":"adam"},"parameters":{},"start":1e-06,"end":1.0,"updates":200,"seeds":[0,1,2,3]}', '57c58a4582529a1916a425ed9d25204676d49ea987a0f912c2d798b3943e69a8', true, 'running', NULL, 1, 0, 'old', NULL, '{}', NULL, NULL, NULL, 1795268691.4386117, NULL);
INSERT INTO public.reports VALUES (1, 0, 1, 0, 0.3, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 2, 1795268690.359692);
INSERT INTO public.reports VALUES (1, 0, 1, 1, 0.4, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 3, 1795268690.4370768);
INSERT INTO public.reports VALUES (1, 0, 1, 2, 0.5, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 2', 4, 1795268690.462097);
INSERT INTO public.reports VALUES (2, 0, 1, 0, 0.5, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 2, 1795268690.842321);
INSERT INTO public.reports VALUES (2, 0, 1, 1, 0.7, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 3, 1795268690.8869977);
INSERT INTO public.reports VALUES (2, 0, 1, 2, 0.6, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 2', 4, 1795268690.9169128);
INSERT INTO public.reports VALUES (2, 1, 1, 0, 0.05, 0.1, '{"loss":1.0}', 'prune', 'the threshold pruner: 0.05 at step 0 is below 0.1', 7, 1795268690.975782);
INSERT INTO public.reports VALUES (2, 2, 1, 0, 0.4, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 9, 1795268691.0054224);
INSERT INTO public.reports VALUES (2, 3, 1, 0, 0.2, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 13, 1795268691.1980517);
INSERT INTO public.reports VALUES (2, 4, 1, 0, 0.25, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 14, 1795268691.2066448);
INSERT INTO public.reports VALUES (2, 4, 1, 1, 0.35, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 15, 1795268691.2164614);
INSERT INTO public.studies VALUES (1, 'done', '{"name": "done", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 1}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'completed', 'all 1 trials are finished (max_trials)', 5, 0, 0, 1, 0, 0, 0, 0, 3, 3, false, 1, '{}', 1795268690.0940373, 1795268690.473554, 0, 0);
INSERT INTO public.studies VALUES (2, 'under-way', '{"name": "under-way", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'active', NULL, 17, 2, 1, 1, 1, 1, 1, 1, 8, 5, false, 5, '{}', 1795268690.5428329, NULL, 0, 0);
INSERT INTO public.studies VALUES (3, 'tested', '{"name": "tested", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last"}, "search_space": {"optimizer": {"adam": {"learning_rate": {"range_test": {}}}}, "schedule": {"constant": {}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'active', NULL, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, false, 6, '{}', 1795268691.357905, NULL, 0, 1);
INSERT INTO public.trials VALUES (1, 1, 0, 'complete', NULL, '{}', '{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}', 0.5, NULL, '{"loss":0.5}', 1, 0, 3, 'old', '{}', 5, 1795268690.2294438, 1795268690.2294438, 1795268690.473554);
INSERT INTO public.trials VALUES (2, 2, 0, 'complete', NULL, '{}', '{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}', 0.6, NULL, '{}', 1, 0, 3, 'old', '{}', 5, 1795268690.767349, 1795268690.767349, 1795268690.9480355);
INSERT INTO public.trials VALUES (3, 2, 1, 'pruned', NULL, '{}', '{"optimizer":"sgd","sgd.learning_rate":0.07147937121918604,"schedule":"constant"}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 7, 1795268690.964142, 1795268690.964142, 1795268690.975782);
INSERT INTO public.trials VALUES (4, 2, 2, 'fail', 'error', '{}', '{"optimizer":"sgd","sgd.learning_rate":0.265892009566615,"schedule":"cosine","cosine.alpha":0.07158732886668602}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 10, 1795268690.9898353, 1795268690.9898353, 1795268691.0192688);
INSERT INTO public.trials VALUES (6, 2, 4, 'running', NULL, '{}', '{"optimizer":"sgd","sgd.learning_rate":0.0010965139826749262,"schedule":"cosine","cosine.alpha":0.09838027865971004}', NULL, NULL, '{}', 1, 0, 2, 'old', '{}', 15, 1795268691.184971, 1795268691.184971, NULL);
INSERT INTO public.trials VALUES (5, 2, 3, 'waiting', 'its worker handed it back; it will run again', '{}', '{"optimizer":"adam","adam.learning_rate":3.4076981137224386e-05,"schedule":"constant"}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 16, 1795268691.037268, 1795268691.037268, NULL);
INSERT INTO public.trials VALUES (7, 2, 5, 'waiting', NULL, '{"optimizer":"sgd","sgd.learning_rate":0.01,"schedule":"constant"}', NULL, NULL, NULL, '{}', 0, 0, 0, NULL, '{}', 17, 1795268691.3440092, NULL, NULL);
INSERT INTO public.workers VALUES ('00820c807086834f6f8d816772865ce2', 'old', '{"task":{}}', '["GPU 0"]', '{"lehr":"0.1.0"}', false, false, 1795268690.029919, 1795268691.4386117, 1795269291.4386117, '["range_test"]');
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
