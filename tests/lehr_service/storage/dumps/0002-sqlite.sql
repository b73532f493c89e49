BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE "attempts" (
	id INTEGER NOT NULL, 
	token VARCHAR(64) NOT NULL, 
	study_id INTEGER NOT NULL, 
	trial INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	worker_id VARCHAR(32) NOT NULL, 
	request_id VARCHAR(36) NOT NULL, 
	outcome VARCHAR(20), 
	message TEXT, 
	traceback TEXT, 
	started_at DOUBLE NOT NULL, 
	finished_at DOUBLE, 
	kind VARCHAR(10) DEFAULT 'trial' NOT NULL, 
	CONSTRAINT pk_attempts PRIMARY KEY (id), 
	CONSTRAINT uq_attempts_token UNIQUE (token), 
	CONSTRAINT fk_attempts_worker_id FOREIGN KEY(worker_id) REFERENCES workers (id), 
	CONSTRAINT fk_attempts_study_id FOREIGN KEY(study_id) REFERENCES studies (id) ON DELETE CASCADE, 
	CONSTRAINT uq_attempts_worker_id_request_id UNIQUE (worker_id, request_id), 
	CONSTRAINT uq_attempts_study_id_kind_trial_attempt UNIQUE (study_id, kind, trial, attempt)
);
INSERT INTO "attempts" VALUES(1,'1-4a9a6722e5fbb1cb94a6142a53395b1f',1,0,1,'401a2bd2cb976787b4b2f6aad08a9413','8fff628e-fde2-4107-a292-e7960e4af988','complete',NULL,NULL,1.79526818770700478554e+09,1.79526818786190629001e+09,'trial');
INSERT INTO "attempts" VALUES(2,'2-8846efd9ceefd1ae43d85fc2ac6a1a3e',2,0,1,'401a2bd2cb976787b4b2f6aad08a9413','681cbdd4-7c61-4f52-a870-7df858503686','complete',NULL,NULL,1.79526818796306324001e+09,1.79526818804824185374e+09,'trial');
INSERT INTO "attempts" VALUES(3,'2-a579926107468145073168dedbc8aaaa',2,1,1,'401a2bd2cb976787b4b2f6aad08a9413','15d30f70-a996-4b69-a871-8b92d0a00c96','pruned','the threshold pruner: 0.05 at step 0 is below 0.1',NULL,1.79526818805825686452e+09,1.7952681880963840484e+09,'trial');
INSERT INTO "attempts" VALUES(4,'2-7bd39b74fd259434e4a9de43c7df9350',2,2,1,'401a2bd2cb976787b4b2f6aad08a9413','9335e11f-f976-4b9b-b919-c3d3bc2eafa3','error','ValueError: no','Traceback',1.79526818814262819289e+09,1.79526818817280507094e+09,'trial');
INSERT INTO "attempts" VALUES(5,'2-f0251655c6ae77a8c55650faa11d1302',2,3,1,'401a2bd2cb976787b4b2f6aad08a9413','e5a273a7-fba0-4229-90d6-b03f35185d95','preempted','handed back',NULL,1.79526818818299269673e+09,1.79526818826414012904e+09,'trial');
INSERT INTO "attempts" VALUES(6,'2-e3536fb32092f7fb5f6a8c02305ecdd5',2,4,1,'401a2bd2cb976787b4b2f6aad08a9413','d8e4ff5a-3f8e-44e2-a008-d0444137812f',NULL,NULL,NULL,1.79526818819301652906e+09,NULL,'trial');
INSERT INTO "attempts" VALUES(7,'3-31da98e3f24bb4537de39ee58ac390a8',3,0,1,'401a2bd2cb976787b4b2f6aad08a9413','e9a55684-6103-47e4-959b-207c53911bf8',NULL,NULL,NULL,1.79526818832584953312e+09,NULL,'range_test');
CREATE TABLE checkpoints (
	study_id INTEGER NOT NULL, 
	trial INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	content BLOB NOT NULL, 
	saved_at DOUBLE NOT NULL, 
	CONSTRAINT pk_checkpoints PRIMARY KEY (study_id, trial), 
	CONSTRAINT fk_checkpoints_study_id FOREIGN KEY(study_id) REFERENCES studies (id) ON DELETE CASCADE
);
INSERT INTO "checkpoints" VALUES(2,4,1,'9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c',X'77656967687473',1.79526818825784611707e+09);
CREATE TABLE range_tests (
	study_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	optimizer VARCHAR(100) NOT NULL, 
	setup TEXT NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	reuse BOOLEAN NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	message TEXT, 
	attempts INTEGER NOT NULL, 
	lost INTEGER NOT NULL, 
	worker TEXT, 
	losses TEXT, 
	suggestions TEXT NOT NULL, 
	low DOUBLE, 
	high DOUBLE, 
	reused_from VARCHAR(100), 
	started_at DOUBLE, 
	finished_at DOUBLE, 
	CONSTRAINT pk_range_tests PRIMARY KEY (study_id, number), 
	CONSTRAINT fk_range_tests_study_id FOREIGN KEY(study_id) REFERENCES studies (id) ON DELETE CASCADE
);
INSERT INTO "range_tests" VALUES(3,0,'adam','{"optimizer":{"name":"adam"},"parameters":{},"start":1e-06,"end":1.0,"updates":200,"seeds":[0,1,2,3]}','57c58a4582529a1916a425ed9d25204676d49ea987a0f912c2d798b3943e69a8',1,'running',NULL,1,0,'old',NULL,'{}',NULL,NULL,NULL,1.79526818832584953312e+09,NULL);
CREATE TABLE reports (
	study_id INTEGER NOT NULL, 
	trial INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	value DOUBLE, 
	learning_rate DOUBLE, 
	metrics TEXT NOT NULL, 
	verdict VARCHAR(10) NOT NULL, 
	reason TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	reported_at DOUBLE NOT NULL, 
	CONSTRAINT pk_reports PRIMARY KEY (study_id, trial, attempt, step), 
	CONSTRAINT fk_reports_study_id FOREIGN KEY(study_id) REFERENCES studies (id) ON DELETE CASCADE
);
INSERT INTO "reports" VALUES(1,0,1,0,0.3,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',2,1.79526818775431895253e+09);
INSERT INTO "reports" VALUES(1,0,1,1,0.4,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',3,1.79526818777271652228e+09);
INSERT INTO "reports" VALUES(1,0,1,2,0.5,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 2',4,1.79526818777931714051e+09);
INSERT INTO "reports" VALUES(2,0,1,0,0.5,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',2,1.7952681879884674549e+09);
INSERT INTO "reports" VALUES(2,0,1,1,0.7,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',3,1.79526818801290845867e+09);
INSERT INTO "reports" VALUES(2,0,1,2,0.6,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 2',4,1.79526818803692030904e+09);
INSERT INTO "reports" VALUES(2,1,1,0,0.05,0.1,'{"loss":1.0}','prune','the threshold pruner: 0.05 at step 0 is below 0.1',7,1.7952681880963840484e+09);
INSERT INTO "reports" VALUES(2,2,1,0,0.4,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',9,1.79526818816260099408e+09);
INSERT INTO "reports" VALUES(2,3,1,0,0.2,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',13,1.79526818820594072346e+09);
INSERT INTO "reports" VALUES(2,4,1,0,0.25,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',14,1.7952681882259569168e+09);
INSERT INTO "reports" VALUES(2,4,1,1,0.35,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',15,1.79526818824974107743e+09);
CREATE TABLE studies (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(100) NOT NULL, 
	definition TEXT NOT NULL, 
	seed BIGINT NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	reason TEXT, 
	revision INTEGER NOT NULL, 
	waiting INTEGER NOT NULL, 
	running INTEGER NOT NULL, 
	complete INTEGER NOT NULL, 
	pruned INTEGER NOT NULL, 
	"fail" INTEGER NOT NULL, 
	returned INTEGER NOT NULL, 
	failures INTEGER NOT NULL, 
	epochs INTEGER NOT NULL, 
	finished_epochs INTEGER NOT NULL, 
	exhausted BOOLEAN NOT NULL, 
	virtual_time DOUBLE NOT NULL, 
	attrs TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	finished_at DOUBLE, range_tests_waiting INTEGER DEFAULT '0' NOT NULL, range_tests_running INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT uq_studies_name UNIQUE (name)
);
INSERT INTO "studies" VALUES(1,'done','{"name": "done", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 1}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'completed','all 1 trials are finished (max_trials)',5,0,0,1,0,0,0,0,3,3,0,1.0,'{}',1.79526818755709767342e+09,1.79526818786190629001e+09,0,0);
INSERT INTO "studies" VALUES(2,'under-way','{"name": "under-way", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'active',NULL,17,2,1,1,1,1,1,1,8,5,0,5.0,'{}',1.79526818792873668669e+09,NULL,0,0);
INSERT INTO "studies" VALUES(3,'tested','{"name": "tested", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last"}, "search_space": {"optimizer": {"adam": {"learning_rate": {"range_test": {}}}}, "schedule": {"constant": {}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'active',NULL,1,0,0,0,0,0,0,0,0,0,0,6.0,'{}',1.79526818829723906517e+09,NULL,0,1);
CREATE TABLE trials (
	id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	reason TEXT, 
	fixed_params TEXT NOT NULL, 
	params TEXT, 
	value DOUBLE, 
	objective_values TEXT, 
	metrics TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	lost INTEGER NOT NULL, 
	steps INTEGER NOT NULL, 
	worker TEXT, 
	attrs TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	created_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	finished_at DOUBLE, 
	CONSTRAINT pk_trials PRIMARY KEY (id), 
	CONSTRAINT fk_trials_study_id FOREIGN KEY(study_id) REFERENCES studies (id) ON DELETE CASCADE, 
	CONSTRAINT uq_trials_study_id_number UNIQUE (study_id, number)
);
INSERT INTO "trials" VALUES(1,1,0,'complete',NULL,'{}','{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}',0.5,NULL,'{"loss":0.5}',1,0,3,'old','{}',5,1.79526818770700478554e+09,1.79526818770700478554e+09,1.79526818786190629001e+09);
INSERT INTO "trials" VALUES(2,2,0,'complete',NULL,'{}','{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}',0.6,NULL,'{}',1,0,3,'old','{}',5,1.79526818796306324001e+09,1.79526818796306324001e+09,1.79526818804824185374e+09);
INSERT INTO "trials" VALUES(3,2,1,'pruned',NULL,'{}','{"optimizer":"sgd","sgd.learning_rate":0.07147937121918604,"schedule":"constant"}',NULL,NULL,'{}',1,0,1,'old','{}',7,1.79526818805825686452e+09,1.79526818805825686452e+09,1.7952681880963840484e+09);
INSERT INTO "trials" VALUES(4,2,2,'fail','error','{}','{"optimizer":"sgd","sgd.learning_rate":0.265892009566615,"schedule":"cosine","cosine.alpha":0.07158732886668602}',NULL,NULL,'{}',1,0,1,'old','{}',10,1.79526818814262819289e+09,1.79526818814262819289e+09,1.79526818817280507094e+09);
INSERT INTO "trials" VALUES(5,2,3,'waiting','its worker handed it back; it will run again','{}','{"optimizer":"adam","adam.learning_rate":3.4076981137224386e-05,"schedule":"constant"}',NULL,NULL,'{}',1,0,1,'old','{}',16,1.79526818818299269673e+09,1.79526818818299269673e+09,NULL);
INSERT INTO "trials" VALUES(6,2,4,'running',NULL,'{}','{"optimizer":"sgd","sgd.learning_rate":0.0010965139826749262,"schedule":"cosine","cosine.alpha":0.09838027865971004}',NULL,NULL,'{}',1,0,2,'old','{}',15,1.79526818819301652906e+09,1.79526818819301652906e+09,NULL);
INSERT INTO "trials" VALUES(7,2,5,'waiting',NULL,'{"optimizer":"sgd","sgd.learning_rate":0.01,"schedule":"constant"}',NULL,NULL,NULL,'{}',0,0,0,NULL,'{}',17,1.79526818827223491668e+09,NULL,NULL);
CREATE TABLE workers (
	id VARCHAR(32) NOT NULL, 
	name TEXT NOT NULL, 
	tasks TEXT NOT NULL, 
	devices TEXT NOT NULL, 
	versions TEXT NOT NULL, 
	draining BOOLEAN NOT NULL, 
	lost BOOLEAN NOT NULL, 
	registered_at DOUBLE NOT NULL, 
	heard_at DOUBLE NOT NULL, 
	deadline DOUBLE NOT NULL, abilities TEXT DEFAULT '[]' NOT NULL, 
	CONSTRAINT pk_workers PRIMARY KEY (id)
);
INSERT INTO "workers" VALUES('401a2bd2cb976787b4b2f6aad08a9413','old','{"task":{}}','["GPU 0"]','{"lehr":"0.1.0"}',0,0,1.79526818752649950979e+09,1.79526818832584953312e+09,1.79526878832584953302e+09,'["range_test"]');
CREATE INDEX ix_studies_state ON studies (state);
CREATE INDEX ix_workers_lost_deadline ON workers (lost, deadline);
CREATE INDEX ix_reports_study_id_revision ON reports (study_id, revision);
CREATE INDEX ix_trials_study_id_revision ON trials (study_id, revision);
CREATE INDEX ix_trials_study_id_state_number ON trials (study_id, state, number);
CREATE INDEX ix_trials_study_id_value ON trials (study_id, value);
CREATE INDEX ix_attempts_running ON attempts (worker_id, outcome);
CREATE INDEX ix_range_tests_key_state ON range_tests ("key", state);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('studies',3);
COMMIT;
