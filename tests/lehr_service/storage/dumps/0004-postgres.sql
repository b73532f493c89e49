-- tokens: {"me": "lehr_0b125c2ca7534f65_c8ee9e424027637f91a2441a0af42ba87c053c5ba8ac3d71", "ada": "lehr_81941d64f700d019_f7388cda43ebf7edc85f5c391c5e86d45ad044f87a629c7c", "gpus": "lehr_f21b75466786e963_51df64a4b4698301624214242331fa22dd2a15701a6e8147", "gone": "lehr_7db442eb2df9c5f0_e3382f8367c1c02838170efcd5aba1f05d4be6732bf1abc9", "brief": "lehr_6debc39adc76e750_45a52895c88bfaeb862380f0b9cc1f09f9dce013727733d7"}
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
INSERT INTO public.attempts VALUES (1, '1-377ff2f44426ae34201d96e1dfeeb052', 1, 0, 1, '2685c20acb3158f3fcbe61eb74a1b544', '6fa8ca07-649a-472f-a2ca-3a489dafee83', 'complete', NULL, NULL, 1795281233.2490335, 1795281233.4873624, 'trial');
INSERT INTO public.attempts VALUES (2, '2-f7ba9ba18515b8f9740dfd68698973d8', 2, 0, 1, '2685c20acb3158f3fcbe61eb74a1b544', 'd9ded02b-3d3f-4db6-af43-4f98638aad75', 'complete', NULL, NULL, 1795281233.7852454, 1795281234.1485791, 'trial');
INSERT INTO public.attempts VALUES (3, '2-2e49c3e46f2e8feacbff14b3343e425f', 2, 1, 1, '2685c20acb3158f3fcbe61eb74a1b544', '6ac16bcf-8345-419d-9bfb-9eaf018e7bd2', 'pruned', 'the threshold pruner: 0.05 at step 0 is below 0.1', NULL, 1795281234.2667718, 1795281234.3418164, 'trial');
INSERT INTO public.attempts VALUES (4, '2-d577a299ef6417adb164f98937f873f2', 2, 2, 1, '2685c20acb3158f3fcbe61eb74a1b544', '7b954996-4fa2-49a7-99d5-309252c08dd7', 'error', 'ValueError: no', 'Traceback', 1795281234.4499154, 1795281234.553586, 'trial');
INSERT INTO public.attempts VALUES (6, '2-890eaac3df64e193570087da754e616c', 2, 4, 1, '2685c20acb3158f3fcbe61eb74a1b544', '6e29a0dd-5dab-4f7f-b643-e494a8144656', NULL, NULL, NULL, 1795281234.6931725, NULL, 'trial');
INSERT INTO public.attempts VALUES (5, '2-c864a0fa0e68b2f36c5f232c58c02835', 2, 3, 1, '2685c20acb3158f3fcbe61eb74a1b544', '4cec3cd2-b171-48e7-a9fd-afccc18bf4aa', 'preempted', NULL, NULL, 1795281234.6011496, 1795281234.9114966, 'trial');
INSERT INTO public.attempts VALUES (7, '3-2a542ecb30126d001ed5bbe7df2cda79', 3, 0, 1, '2685c20acb3158f3fcbe61eb74a1b544', '36257641-5975-4083-afba-1d75e0159774', NULL, NULL, NULL, 1795281235.386724, NULL, 'range_test');
INSERT INTO public.checkpoints VALUES (2, 4, 1, '9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c', '\x77656967687473', 1795281234.854245);
INSERT INTO public.range_tests VALUES (3, 0, 'adam', '{"optimizer":{"name":"adam"},"parameters":{},"start":1e-06,"end":1.0,"updates":200,"seeds":[0,1,2,3]}', '57c58a4582529a1916a425ed9d25204676d49ea987a0f912c2d798b3943e69a8', true, 'running', NULL, 1, 0, 'old', NULL, '{}', NULL, NULL, NULL, 1795281235.386724, NULL);
INSERT INTO public.reports VALUES (1, 0, 1, 0, 0.3, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 2, 1795281233.350306);
INSERT INTO public.reports VALUES (1, 0, 1, 1, 0.4, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 3, 1795281233.3931952);
INSERT INTO public.reports VALUES (1, 0, 1, 2, 0.5, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 2', 4, 1795281233.4378877);
INSERT INTO public.reports VALUES (2, 0, 1, 0, 0.5, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 2, 1795281233.9292662);
INSERT INTO public.reports VALUES (2, 0, 1, 1, 0.7, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 3, 1795281233.977658);
INSERT INTO public.reports VALUES (2, 0, 1, 2, 0.6, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 2', 4, 1795281234.04913);
INSERT INTO public.reports VALUES (2, 1, 1, 0, 0.05, 0.1, '{"loss":1.0}', 'prune', 'the threshold pruner: 0.05 at step 0 is below 0.1', 7, 1795281234.3418164);
INSERT INTO public.reports VALUES (2, 2, 1, 0, 0.4, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 9, 1795281234.4901335);
INSERT INTO public.reports VALUES (2, 3, 1, 0, 0.2, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 12, 1795281234.6536143);
INSERT INTO public.reports VALUES (2, 4, 1, 0, 0.25, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 14, 1795281234.7423413);
INSERT INTO public.reports VALUES (2, 4, 1, 1, 0.35, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 15, 1795281234.7816064);
INSERT INTO public.studies VALUES (1, 'done', '{"name": "done", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 1}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'completed', 'all 1 trials are finished (max_trials)', 5, 0, 0, 1, 0, 0, 0, 0, 3, 3, false, 1, '{}', 1795281233.0750713, 1795281233.4873624, 0, 0);
INSERT INTO public.studies VALUES (2, 'under-way', '{"name": "under-way", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'active', NULL, 17, 2, 1, 1, 1, 1, 1, 1, 8, 5, false, 5, '{}', 1795281233.599369, NULL, 0, 0);
INSERT INTO public.studies VALUES (3, 'tested', '{"name": "tested", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"adam": {"learning_rate": {"range_test": {}}}}, "schedule": {"constant": {}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'active', NULL, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, false, 6, '{}', 1795281235.0868893, NULL, 0, 1);
INSERT INTO public.tokens VALUES ('0b125c2ca7534f65', 'me', 'admin', '9ac2548eb8470846b8e725d20f22eb3bad51243a491cac473db462c098463596', 1795281211.883182, NULL, 1795281232.8293478, NULL);
INSERT INTO public.tokens VALUES ('6debc39adc76e750', 'brief', 'viewer', 'a001ca5e590f132de470f0c1e0dd03d1f1ee8bcd47917514a14a5ff4b6cf1958', 1795281233.002064, 1797873233.002064, NULL, NULL);
INSERT INTO public.tokens VALUES ('7db442eb2df9c5f0', 'gone', 'viewer', '20e5581ef5a432a771258ffc516b7f0508883446efdfa8856d493a5b5e0cc368', 1795281232.9745476, NULL, NULL, 1795281233.022998);
INSERT INTO public.tokens VALUES ('81941d64f700d019', 'ada', 'researcher', '372224e1af86220075d8365fac81c5d04aba6d1d05f9c254f022c9d0f75d623b', 1795281232.831821, NULL, 1795281233.592266, NULL);
INSERT INTO public.tokens VALUES ('f21b75466786e963', 'gpus', 'worker', 'e187191dfbe9cd78fffd8adaafa5ca8a8503ab9393e76012250eae69359f5425', 1795281232.930044, NULL, 1795281233.8985295, NULL);
INSERT INTO public.trials VALUES (1, 1, 0, 'complete', NULL, '{}', '{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}', 0.5, NULL, '{"loss":0.5}', 1, 0, 3, 'old', '{}', 5, 1795281233.2490335, 1795281233.2490335, 1795281233.4873624);
INSERT INTO public.trials VALUES (2, 2, 0, 'complete', NULL, '{}', '{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}', 0.6, NULL, '{}', 1, 0, 3, 'old', '{}', 5, 1795281233.7852454, 1795281233.7852454, 1795281234.1485791);
INSERT INTO public.trials VALUES (3, 2, 1, 'pruned', NULL, '{}', '{"optimizer":"sgd","sgd.learning_rate":0.07147937121918604,"schedule":"constant"}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 7, 1795281234.2667718, 1795281234.2667718, 1795281234.3418164);
INSERT INTO public.trials VALUES (4, 2, 2, 'fail', 'error', '{}', '{"optimizer":"sgd","sgd.learning_rate":0.265892009566615,"schedule":"cosine","cosine.alpha":0.07158732886668602}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 10, 1795281234.4499154, 1795281234.4499154, 1795281234.553586);
INSERT INTO public.trials VALUES (6, 2, 4, 'running', NULL, '{}', '{"optimizer":"sgd","sgd.learning_rate":0.0010965139826749262,"schedule":"cosine","cosine.alpha":0.09838027865971004}', NULL, NULL, '{}', 1, 0, 2, 'old', '{}', 15, 1795281234.6931725, 1795281234.6931725, NULL);
INSERT INTO public.trials VALUES (5, 2, 3, 'waiting', 'its worker handed it back; it will run again', '{}', '{"optimizer":"adam","adam.learning_rate":3.4076981137224386e-05,"schedule":"constant"}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 16, 1795281234.6011496, 1795281234.6011496, NULL);
INSERT INTO public.trials VALUES (7, 2, 5, 'waiting', NULL, '{"optimizer":"sgd","sgd.learning_rate":0.01,"schedule":"constant"}', NULL, NULL, NULL, '{}', 0, 0, 0, NULL, '{}', 17, 1795281235.0169206, NULL, NULL);
INSERT INTO public.workers VALUES ('2685c20acb3158f3fcbe61eb74a1b544', 'old', '{"task":{}}', '["GPU 0"]', '{"lehr":"0.1.0"}', false, false, 1795281233.0406277, 1795281235.386724, 1795281835.386724, '["range_test"]', 'f21b75466786e963');
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
