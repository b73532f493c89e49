-- tokens: {"me": "lehr_9d1dfe15614cc66f_7b5136df23bb7deca00e23ea7553d8be9f7154ee719a3a76", "ada": "lehr_d2b794e849257e8f_2be9457ae6e1010e2b59a9e6f582989e791e3c6d2053f2f5", "gpus": "lehr_5b95fd361961cb3f_328e3e33a5b2f3c5a20a20e151fe054ed977320c8cf17143", "gone": "lehr_716180353726e2c1_a8c29c3b02fa82ddea28beca2c542fb928c5a8eebed2fe7d", "brief": "lehr_7e513472b85a7d78_a9570f4705f20072dd73c98910f5455ea229372c4eca636a"}
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
    token_id character varying(16),
    problems text DEFAULT '{}'::text NOT NULL
);
ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq'::regclass);
ALTER TABLE ONLY public.studies ALTER COLUMN id SET DEFAULT nextval('public.studies_id_seq'::regclass);
ALTER TABLE ONLY public.trials ALTER COLUMN id SET DEFAULT nextval('public.trials_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0005');
INSERT INTO public.attempts VALUES (1, '1-9c11e58545902e694d414afa08577466', 1, 0, 1, '96c470b0c7212b1f6d376cb061fc7ea9', 'd72409b6-d1b6-4e57-be6d-07294c1adf1b', 'complete', NULL, NULL, 1795281309.3626332, 1795281309.661708, 'trial');
INSERT INTO public.attempts VALUES (2, '2-c86d97b0928da6096b49362efffc8524', 2, 0, 1, '96c470b0c7212b1f6d376cb061fc7ea9', 'e83d7a4a-1f8c-4f4e-85e8-b1dcff0a8ada', 'complete', NULL, NULL, 1795281309.8893182, 1795281310.1527097, 'trial');
INSERT INTO public.attempts VALUES (3, '2-df4c68be890d25b854d311e5926e94fa', 2, 1, 1, '96c470b0c7212b1f6d376cb061fc7ea9', '8fefc980-2da5-461a-9812-8c2f94fcfa76', 'pruned', 'the threshold pruner: 0.05 at step 0 is below 0.1', NULL, 1795281310.293307, 1795281310.3652675, 'trial');
INSERT INTO public.attempts VALUES (4, '2-3ac696bb9d4d4016f857ac50aaf16aaa', 2, 2, 1, '96c470b0c7212b1f6d376cb061fc7ea9', 'b021cfcd-369e-477f-b467-63cc3ab95508', 'error', 'ValueError: no', 'Traceback', 1795281310.414579, 1795281310.5226138, 'trial');
INSERT INTO public.attempts VALUES (6, '2-0f779a9bd685cb0c19b0eb1f3b833bf8', 2, 4, 1, '96c470b0c7212b1f6d376cb061fc7ea9', '3c6a39fc-7e40-4657-bfb8-a85ac113753f', NULL, NULL, NULL, 1795281310.750139, NULL, 'trial');
INSERT INTO public.attempts VALUES (5, '2-7cdfc775b4387d394dc7a07c45ba0455', 2, 3, 1, '96c470b0c7212b1f6d376cb061fc7ea9', '19cc5636-3bbd-4e89-952b-299db7a50871', 'preempted', NULL, NULL, 1795281310.5954266, 1795281310.955263, 'trial');
INSERT INTO public.attempts VALUES (7, '3-e8636ce87383864c91198d4ecea38fa6', 3, 0, 1, '96c470b0c7212b1f6d376cb061fc7ea9', '70c3ffbf-e96a-458d-b8b5-b0efc90f0922', NULL, NULL, NULL, 1795281311.2617815, NULL, 'range_test');
INSERT INTO public.checkpoints VALUES (2, 4, 1, '9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c', '\x77656967687473', 1795281310.9053268);
INSERT INTO public.range_tests VALUES (3, 0, 'adam', '{"optimizer":{"name":"adam"},"parameters":{},"start":1e-06,"end":1.0,"updates":200,"seeds":[0,1,2,3]}', '57c58a4582529a1916a425ed9d25204676d49ea987a0f912c2d798b3943e69a8', true, 'running', NULL, 1, 0, 'old', NULL, '{}', NULL, NULL, NULL, 1795281311.2617815, NULL);
INSERT INTO public.reports VALUES (1, 0, 1, 0, 0.3, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 2, 1795281309.4522023);
INSERT INTO public.reports VALUES (1, 0, 1, 1, 0.4, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 3, 1795281309.497366);
INSERT INTO public.reports VALUES (1, 0, 1, 2, 0.5, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 2', 4, 1795281309.5412362);
INSERT INTO public.reports VALUES (2, 0, 1, 0, 0.5, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 2, 1795281309.9410565);
INSERT INTO public.reports VALUES (2, 0, 1, 1, 0.7, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 3, 1795281309.981988);
INSERT INTO public.reports VALUES (2, 0, 1, 2, 0.6, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 2', 4, 1795281310.086172);
INSERT INTO public.reports VALUES (2, 1, 1, 0, 0.05, 0.1, '{"loss":1.0}', 'prune', 'the threshold pruner: 0.05 at step 0 is below 0.1', 7, 1795281310.3652675);
INSERT INTO public.reports VALUES (2, 2, 1, 0, 0.4, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 9, 1795281310.4881992);
INSERT INTO public.reports VALUES (2, 3, 1, 0, 0.2, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 12, 1795281310.6798563);
INSERT INTO public.reports VALUES (2, 4, 1, 0, 0.25, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 14, 1795281310.8197742);
INSERT INTO public.reports VALUES (2, 4, 1, 1, 0.35, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 15, 1795281310.8574944);
INSERT INTO public.studies VALUES (1, 'done', '{"name": "done", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 1}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'completed', 'all 1 trials are finished (max_trials)', 5, 0, 0, 1, 0, 0, 0, 0, 3, 3, false, 1, '{}', 1795281309.1921284, 1795281309.661708, 0, 0);
INSERT INTO public.studies VALUES (2, 'under-way', '{"name": "under-way", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'active', NULL, 17, 2, 1, 1, 1, 1, 1, 1, 8, 5, false, 5, '{}', 1795281309.8171406, NULL, 0, 0);
INSERT INTO public.studies VALUES (3, 'tested', '{"name": "tested", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"adam": {"learning_rate": {"range_test": {}}}}, "schedule": {"constant": {}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'active', NULL, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, false, 6, '{}', 1795281311.0474117, NULL, 0, 1);
INSERT INTO public.tokens VALUES ('9d1dfe15614cc66f', 'me', 'admin', 'bea1745bfdb66e58042a81b261bd1317322a760cda6fc933ab026b676e8e1101', 1795281282.9934971, NULL, 1795281308.8370464, NULL);
INSERT INTO public.tokens VALUES ('7e513472b85a7d78', 'brief', 'viewer', '797cdfc72750b8b8886494702a80bf6bec9375898d90656dd367e9b83b2bb6bc', 1795281309.0942516, 1797873309.0942516, NULL, NULL);
INSERT INTO public.tokens VALUES ('716180353726e2c1', 'gone', 'viewer', 'e7176d9faca0db2d55dc22eb4c72d248c4b1552d80a64eb4f01697e07749446b', 1795281309.0679455, NULL, NULL, 1795281309.1403687);
INSERT INTO public.tokens VALUES ('5b95fd361961cb3f', 'gpus', 'worker', 'c5639ab54f65155643a08113830f85e7f8ddb134082013b43d825b127388c112', 1795281308.9987872, NULL, 1795281310.068071, NULL);
INSERT INTO public.tokens VALUES ('d2b794e849257e8f', 'ada', 'researcher', '66200f90d57c74086125a519545a3600f24bb64f3e4bc4e44c748f02523e29c5', 1795281308.8419743, NULL, 1795281309.8158164, NULL);
INSERT INTO public.trials VALUES (1, 1, 0, 'complete', NULL, '{}', '{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}', 0.5, NULL, '{"loss":0.5}', 1, 0, 3, 'old', '{}', 5, 1795281309.3626332, 1795281309.3626332, 1795281309.661708);
INSERT INTO public.trials VALUES (2, 2, 0, 'complete', NULL, '{}', '{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}', 0.6, NULL, '{}', 1, 0, 3, 'old', '{}', 5, 1795281309.8893182, 1795281309.8893182, 1795281310.1527097);
INSERT INTO public.trials VALUES (3, 2, 1, 'pruned', NULL, '{}', '{"optimizer":"sgd","sgd.learning_rate":0.07147937121918604,"schedule":"constant"}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 7, 1795281310.293307, 1795281310.293307, 1795281310.3652675);
INSERT INTO public.trials VALUES (4, 2, 2, 'fail', 'error', '{}', '{"optimizer":"sgd","sgd.learning_rate":0.265892009566615,"schedule":"cosine","cosine.alpha":0.07158732886668602}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 10, 1795281310.414579, 1795281310.414579, 1795281310.5226138);
INSERT INTO public.trials VALUES (6, 2, 4, 'running', NULL, '{}', '{"optimizer":"sgd","sgd.learning_rate":0.0010965139826749262,"schedule":"cosine","cosine.alpha":0.09838027865971004}', NULL, NULL, '{}', 1, 0, 2, 'old', '{}', 15, 1795281310.750139, 1795281310.750139, NULL);
INSERT INTO public.trials VALUES (5, 2, 3, 'waiting', 'its worker handed it back; it will run again', '{}', '{"optimizer":"adam","adam.learning_rate":3.4076981137224386e-05,"schedule":"constant"}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 16, 1795281310.5954266, 1795281310.5954266, NULL);
INSERT INTO public.trials VALUES (7, 2, 5, 'waiting', NULL, '{"optimizer":"sgd","sgd.learning_rate":0.01,"schedule":"constant"}', NULL, NULL, NULL, '{}', 0, 0, 0, NULL, '{}', 17, 1795281311.0133357, NULL, NULL);
INSERT INTO public.workers VALUES ('96c470b0c7212b1f6d376cb061fc7ea9', 'old', '{"task":{}}', '["GPU 0"]', '{"lehr":"0.1.0"}', false, false, 1795281309.1715531, 1795281311.2617815, 1795281911.2617815, '["range_test"]', '5b95fd361961cb3f', '{"mine":"importing <mine> failed: ImportError: no such thing"}');
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
