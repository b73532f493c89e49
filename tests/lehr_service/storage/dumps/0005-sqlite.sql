BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
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
	CONSTRAINT fk_attempts_worker_id FOREIGN KEY(worker_id) REFERENCES workers (id), 
	CONSTRAINT uq_attempts_token UNIQUE (token), 
	CONSTRAINT uq_attempts_worker_id_request_id UNIQUE (worker_id, request_id), 
	CONSTRAINT fk_attempts_study_id FOREIGN KEY(study_id) REFERENCES studies (id) ON DELETE CASCADE, 
	CONSTRAINT uq_attempts_study_id_kind_trial_attempt UNIQUE (study_id, kind, trial, attempt)
);
INSERT INTO "attempts" VALUES(1,'1-0420bca226551148b7b0c22ebd873e11',1,0,1,'677dd71d02f8ac258b31a91a0f610e4c','b9b97d10-5ef0-4bd3-abaf-d0d103e943c9','complete',NULL,NULL,1.79526821706625556943e+09,1.79526821715599894523e+09,'trial');
INSERT INTO "attempts" VALUES(2,'2-0d2c6745caab3a3acd7441677d424234',2,0,1,'677dd71d02f8ac258b31a91a0f610e4c','3c7339f7-53af-444d-9e99-3cdbf6481465','complete',NULL,NULL,1.79526821722555708889e+09,1.79526821728572964667e+09,'trial');
INSERT INTO "attempts" VALUES(3,'2-76d8dd0acf2c24be0d5a5826d6189427',2,1,1,'677dd71d02f8ac258b31a91a0f610e4c','266fc470-f6f7-4a0a-8a0c-fdb18d1d03b0','pruned','the threshold pruner: 0.05 at step 0 is below 0.1',NULL,1.79526821730641317374e+09,1.79526821732339882846e+09,'trial');
INSERT INTO "attempts" VALUES(4,'2-eeaa234876b18329438364da63973098',2,2,1,'677dd71d02f8ac258b31a91a0f610e4c','008b83e4-2c8f-48cc-8358-830f7585b9a1','error','ValueError: no','Traceback',1.79526821734250950808e+09,1.7952682174511840344e+09,'trial');
INSERT INTO "attempts" VALUES(5,'2-909f2529371a34bf50ab630a76ac6bdc',2,3,1,'677dd71d02f8ac258b31a91a0f610e4c','0bbf1ffb-9121-4fdc-bb8b-92f981b537a3','preempted','handed back',NULL,1.79526821748264837266e+09,1.79526821761070275304e+09,'trial');
INSERT INTO "attempts" VALUES(6,'2-540241bb7447ba6df2be02051873f990',2,4,1,'677dd71d02f8ac258b31a91a0f610e4c','bc83605e-4e77-4092-9d1e-e18e9e515d2b',NULL,NULL,NULL,1.79526821751183724403e+09,NULL,'trial');
INSERT INTO "attempts" VALUES(7,'3-a00cc1586f3d739afb04b7203bf62679',3,0,1,'677dd71d02f8ac258b31a91a0f610e4c','77d54136-3f02-4eb7-bfe0-1ea0179ac9bb',NULL,NULL,NULL,1.79526821770132923123e+09,NULL,'range_test');
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
INSERT INTO "checkpoints" VALUES(2,4,1,'9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c',X'77656967687473',1.79526821758540463449e+09);
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
INSERT INTO "range_tests" VALUES(3,0,'adam','{"optimizer":{"name":"adam"},"parameters":{},"start":1e-06,"end":1.0,"updates":200,"seeds":[0,1,2,3]}','57c58a4582529a1916a425ed9d25204676d49ea987a0f912c2d798b3943e69a8',1,'running',NULL,1,0,'old',NULL,'{}',NULL,NULL,NULL,1.79526821770132923123e+09,NULL);
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
INSERT INTO "reports" VALUES(1,0,1,0,0.3,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',2,1.79526821711535096168e+09);
INSERT INTO "reports" VALUES(1,0,1,1,0.4,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',3,1.79526821712870526316e+09);
INSERT INTO "reports" VALUES(1,0,1,2,0.5,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 2',4,1.79526821714054632189e+09);
INSERT INTO "reports" VALUES(2,0,1,0,0.5,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',2,1.79526821724950456623e+09);
INSERT INTO "reports" VALUES(2,0,1,1,0.7,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',3,1.79526821726320219042e+09);
INSERT INTO "reports" VALUES(2,0,1,2,0.6,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 2',4,1.79526821727509450915e+09);
INSERT INTO "reports" VALUES(2,1,1,0,0.05,0.1,'{"loss":1.0}','prune','the threshold pruner: 0.05 at step 0 is below 0.1',7,1.79526821732339882846e+09);
INSERT INTO "reports" VALUES(2,2,1,0,0.4,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',9,1.79526821736785411839e+09);
INSERT INTO "reports" VALUES(2,3,1,0,0.2,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',13,1.79526821753155517574e+09);
INSERT INTO "reports" VALUES(2,4,1,0,0.25,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',14,1.79526821754828524589e+09);
INSERT INTO "reports" VALUES(2,4,1,1,0.35,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',15,1.79526821756613469121e+09);
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
INSERT INTO "studies" VALUES(1,'done','{"name": "done", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 1}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'completed','all 1 trials are finished (max_trials)',5,0,0,1,0,0,0,0,3,3,0,1.0,'{}',1.79526821687750792505e+09,1.79526821715599894523e+09,0,0);
INSERT INTO "studies" VALUES(2,'under-way','{"name": "under-way", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'active',NULL,17,2,1,1,1,1,1,1,8,5,0,5.0,'{}',1.79526821717798876765e+09,NULL,0,0);
INSERT INTO "studies" VALUES(3,'tested','{"name": "tested", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"adam": {"learning_rate": {"range_test": {}}}}, "schedule": {"constant": {}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'active',NULL,1,0,0,0,0,0,0,0,0,0,0,6.0,'{}',1.79526821766124701496e+09,NULL,0,1);
CREATE TABLE tokens (
	id VARCHAR(16) NOT NULL, 
	name TEXT NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	expires_at DOUBLE, 
	last_used_at DOUBLE, 
	revoked_at DOUBLE, 
	CONSTRAINT pk_tokens PRIMARY KEY (id)
);
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
INSERT INTO "trials" VALUES(1,1,0,'complete',NULL,'{}','{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}',0.5,NULL,'{"loss":0.5}',1,0,3,'old','{}',5,1.79526821706625556943e+09,1.79526821706625556943e+09,1.79526821715599894523e+09);
INSERT INTO "trials" VALUES(2,2,0,'complete',NULL,'{}','{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}',0.6,NULL,'{}',1,0,3,'old','{}',5,1.79526821722555708889e+09,1.79526821722555708889e+09,1.79526821728572964667e+09);
INSERT INTO "trials" VALUES(3,2,1,'pruned',NULL,'{}','{"optimizer":"sgd","sgd.learning_rate":0.07147937121918604,"schedule":"constant"}',NULL,NULL,'{}',1,0,1,'old','{}',7,1.79526821730641317374e+09,1.79526821730641317374e+09,1.79526821732339882846e+09);
INSERT INTO "trials" VALUES(4,2,2,'fail','error','{}','{"optimizer":"sgd","sgd.learning_rate":0.265892009566615,"schedule":"cosine","cosine.alpha":0.07158732886668602}',NULL,NULL,'{}',1,0,1,'old','{}',10,1.79526821734250950808e+09,1.79526821734250950808e+09,1.7952682174511840344e+09);
INSERT INTO "trials" VALUES(5,2,3,'waiting','its worker handed it back; it will run again','{}','{"optimizer":"adam","adam.learning_rate":3.4076981137224386e-05,"schedule":"constant"}',NULL,NULL,'{}',1,0,1,'old','{}',16,1.79526821748264837266e+09,1.79526821748264837266e+09,NULL);
INSERT INTO "trials" VALUES(6,2,4,'running',NULL,'{}','{"optimizer":"sgd","sgd.learning_rate":0.0010965139826749262,"schedule":"cosine","cosine.alpha":0.09838027865971004}',NULL,NULL,'{}',1,0,2,'old','{}',15,1.79526821751183724403e+09,1.79526821751183724403e+09,NULL);
INSERT INTO "trials" VALUES(7,2,5,'waiting',NULL,'{"optimizer":"sgd","sgd.learning_rate":0.01,"schedule":"constant"}',NULL,NULL,NULL,'{}',0,0,0,NULL,'{}',17,1.79526821763369393352e+09,NULL,NULL);
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
	deadline DOUBLE NOT NULL, abilities TEXT DEFAULT '[]' NOT NULL, token_id VARCHAR(16), problems TEXT DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_workers PRIMARY KEY (id)
);
INSERT INTO "workers" VALUES('677dd71d02f8ac258b31a91a0f610e4c','old','{"task":{}}','["GPU 0"]','{"lehr":"0.1.0"}',0,0,1.7952682168548939228e+09,1.79526821770132923123e+09,1.79526881770132923127e+09,'["range_test"]',NULL,'{}');
CREATE INDEX ix_studies_state ON studies (state);
CREATE INDEX ix_workers_lost_deadline ON workers (lost, deadline);
CREATE INDEX ix_reports_study_id_revision ON reports (study_id, revision);
CREATE INDEX ix_trials_study_id_revision ON trials (study_id, revision);
CREATE INDEX ix_trials_study_id_state_number ON trials (study_id, state, number);
CREATE INDEX ix_trials_study_id_value ON trials (study_id, value);
CREATE INDEX ix_attempts_running ON attempts (worker_id, outcome);
CREATE INDEX ix_range_tests_key_state ON range_tests ("key", state);
CREATE INDEX ix_attempts_open ON attempts (worker_id) WHERE outcome IS NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('studies',3);
COMMIT;
