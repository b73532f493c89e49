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
    finished_at double precision
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
    finished_at double precision
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
    deadline double precision NOT NULL
);
ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq'::regclass);
ALTER TABLE ONLY public.studies ALTER COLUMN id SET DEFAULT nextval('public.studies_id_seq'::regclass);
ALTER TABLE ONLY public.trials ALTER COLUMN id SET DEFAULT nextval('public.trials_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0001');
INSERT INTO public.attempts VALUES (1, '1-427eb8c4cb87e03c2db88b696ceb8106', 1, 0, 1, '3e217af7cd9bb3f63fd72e1ed76c6288', '28f46f49-508a-4bae-92fc-10ba21e86971', 'complete', NULL, NULL, 1795268661.2152836, 1795268661.4375);
INSERT INTO public.attempts VALUES (2, '2-5c2b7b90a93e365413e3da82422ce623', 2, 0, 1, '3e217af7cd9bb3f63fd72e1ed76c6288', 'a62e153d-4b20-429b-bcf5-32a93b0315a9', 'complete', NULL, NULL, 1795268661.5195298, 1795268661.753913);
INSERT INTO public.attempts VALUES (3, '2-7c40e61fbb03c7ed4ace148148273a4b', 2, 1, 1, '3e217af7cd9bb3f63fd72e1ed76c6288', '707fc584-588b-4182-81d5-26a8ad2bd5c6', 'pruned', 'the threshold pruner: 0.05 at step 0 is below 0.1', NULL, 1795268661.8527186, 1795268661.9371686);
INSERT INTO public.attempts VALUES (4, '2-b983966f866a687886a26694e6c6b2db', 2, 2, 1, '3e217af7cd9bb3f63fd72e1ed76c6288', '32ba6106-4355-47d9-a569-cfe013593aa0', 'error', 'ValueError: no', 'Traceback', 1795268662.0190654, 1795268662.1320848);
INSERT INTO public.attempts VALUES (6, '2-2c09ed26dbc797184a78f6a34774dc2c', 2, 4, 1, '3e217af7cd9bb3f63fd72e1ed76c6288', 'a021ef9b-0fb7-4bf5-9708-f25d9d5b3261', NULL, NULL, NULL, 1795268662.2423286, NULL);
INSERT INTO public.attempts VALUES (5, '2-2f0ad84e7cc05744dca43570216222a4', 2, 3, 1, '3e217af7cd9bb3f63fd72e1ed76c6288', '79f650cc-f030-4c07-92cf-c4ae2b8358b6', 'preempted', 'handed back', NULL, 1795268662.1750891, 1795268662.4331915);
INSERT INTO public.checkpoints VALUES (2, 4, 1, '9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c', '\x77656967687473', 1795268662.4227705);
INSERT INTO public.reports VALUES (1, 0, 1, 0, 0.3, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 2, 1795268661.2934158);
INSERT INTO public.reports VALUES (1, 0, 1, 1, 0.4, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 3, 1795268661.349615);
INSERT INTO public.reports VALUES (1, 0, 1, 2, 0.5, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 2', 4, 1795268661.4146128);
INSERT INTO public.reports VALUES (2, 0, 1, 0, 0.5, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 2, 1795268661.5699353);
INSERT INTO public.reports VALUES (2, 0, 1, 1, 0.7, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 3, 1795268661.5903795);
INSERT INTO public.reports VALUES (2, 0, 1, 2, 0.6, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 2', 4, 1795268661.689441);
INSERT INTO public.reports VALUES (2, 1, 1, 0, 0.05, 0.1, '{"loss":1.0}', 'prune', 'the threshold pruner: 0.05 at step 0 is below 0.1', 7, 1795268661.9371686);
INSERT INTO public.reports VALUES (2, 2, 1, 0, 0.4, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 9, 1795268662.085059);
INSERT INTO public.reports VALUES (2, 3, 1, 0, 0.2, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 13, 1795268662.3057199);
INSERT INTO public.reports VALUES (2, 4, 1, 0, 0.25, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 0', 14, 1795268662.3372793);
INSERT INTO public.reports VALUES (2, 4, 1, 1, 0.35, 0.1, '{"loss":1.0}', 'continue', 'the threshold pruner lets it go on at step 1', 15, 1795268662.3880668);
INSERT INTO public.studies VALUES (1, 'done', '{"name": "done", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 1}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'completed', 'all 1 trials are finished (max_trials)', 5, 0, 0, 1, 0, 0, 0, 0, 3, 3, false, 1, '{}', 1795268660.9754555, 1795268661.4375);
INSERT INTO public.studies VALUES (2, 'under-way', '{"name": "under-way", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}', 1, 'active', NULL, 17, 2, 1, 1, 1, 1, 1, 1, 8, 5, false, 5, '{}', 1795268661.472466, NULL);
INSERT INTO public.trials VALUES (1, 1, 0, 'complete', NULL, '{}', '{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}', 0.5, NULL, '{"loss":0.5}', 1, 0, 3, 'old', '{}', 5, 1795268661.2152836, 1795268661.2152836, 1795268661.4375);
INSERT INTO public.trials VALUES (2, 2, 0, 'complete', NULL, '{}', '{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}', 0.6, NULL, '{}', 1, 0, 3, 'old', '{}', 5, 1795268661.5195298, 1795268661.5195298, 1795268661.753913);
INSERT INTO public.trials VALUES (3, 2, 1, 'pruned', NULL, '{}', '{"optimizer":"sgd","sgd.learning_rate":0.07147937121918604,"schedule":"constant"}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 7, 1795268661.8527186, 1795268661.8527186, 1795268661.9371686);
INSERT INTO public.trials VALUES (4, 2, 2, 'fail', 'error', '{}', '{"optimizer":"sgd","sgd.learning_rate":0.265892009566615,"schedule":"cosine","cosine.alpha":0.07158732886668602}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 10, 1795268662.0190654, 1795268662.0190654, 1795268662.1320848);
INSERT INTO public.trials VALUES (6, 2, 4, 'running', NULL, '{}', '{"optimizer":"sgd","sgd.learning_rate":0.0010965139826749262,"schedule":"cosine","cosine.alpha":0.09838027865971004}', NULL, NULL, '{}', 1, 0, 2, 'old', '{}', 15, 1795268662.2423286, 1795268662.2423286, NULL);
INSERT INTO public.trials VALUES (5, 2, 3, 'waiting', 'its worker handed it back; it will run again', '{}', '{"optimizer":"adam","adam.learning_rate":3.4076981137224386e-05,"schedule":"constant"}', NULL, NULL, '{}', 1, 0, 1, 'old', '{}', 16, 1795268662.1750891, 1795268662.1750891, NULL);
INSERT INTO public.trials VALUES (7, 2, 5, 'waiting', NULL, '{"optimizer":"sgd","sgd.learning_rate":0.01,"schedule":"constant"}', NULL, NULL, NULL, '{}', 0, 0, 0, NULL, '{}', 17, 1795268662.4711928, NULL, NULL);
INSERT INTO public.workers VALUES ('3e217af7cd9bb3f63fd72e1ed76c6288', 'old', '{"task":{}}', '["GPU 0"]', '{"lehr":"0.1.0"}', false, false, 1795268660.9611213, 1795268662.4331915, 1795269262.4331915);
SELECT pg_catalog.setval('public.attempts_id_seq', 6, true);
SELECT pg_catalog.setval('public.studies_id_seq', 2, true);
SELECT pg_catalog.setval('public.trials_id_seq', 7, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT pk_attempts PRIMARY KEY (id);
ALTER TABLE ONLY public.checkpoints
    ADD CONSTRAINT pk_checkpoints PRIMARY KEY (study_id, trial);
ALTER TABLE ONLY public.reports
    ADD CONSTRAINT pk_reports PRIMARY KEY (study_id, trial, attempt, step);
ALTER TABLE ONLY public.studies
    ADD CONSTRAINT pk_studies PRIMARY KEY (id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT pk_trials PRIMARY KEY (id);
ALTER TABLE ONLY public.workers
    ADD CONSTRAINT pk_workers PRIMARY KEY (id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT uq_attempts_study_id_trial_attempt UNIQUE (study_id, trial, attempt);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT uq_attempts_token UNIQUE (token);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT uq_attempts_worker_id_request_id UNIQUE (worker_id, request_id);
ALTER TABLE ONLY public.studies
    ADD CONSTRAINT uq_studies_name UNIQUE (name);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT uq_trials_study_id_number UNIQUE (study_id, number);
CREATE INDEX ix_attempts_running ON public.attempts USING btree (worker_id, outcome);
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
ALTER TABLE ONLY public.reports
    ADD CONSTRAINT fk_reports_study_id FOREIGN KEY (study_id) REFERENCES public.studies(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT fk_trials_study_id FOREIGN KEY (study_id) REFERENCES public.studies(id) ON DELETE CASCADE;
