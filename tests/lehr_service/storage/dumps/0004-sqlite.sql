-- tokens: {"me": "lehr_3706d2ba3b577fcd_d01e8e9b04bbe241dc7ad7a29e26b8c95cae5e48e59712fd", "ada": "lehr_eb9be2b752cc27f0_214ac722ce284f8470a1b03390e590bda594be8827c971b9", "gpus": "lehr_6245032a10df98a6_f795febcbf512689452a5849206c6659cec8751fd7542098", "gone": "lehr_e68bc38090dcafe6_807142a5fea0af4539afc9ac3d04e962c6bd7ff91c010e3a", "brief": "lehr_02429964478fad44_6e119bcfa68c53ce314d437ac9468d7fe356a849bb6ccab6"}
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
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
	CONSTRAINT uq_attempts_worker_id_request_id UNIQUE (worker_id, request_id), 
	CONSTRAINT fk_attempts_worker_id FOREIGN KEY(worker_id) REFERENCES workers (id), 
	CONSTRAINT uq_attempts_token UNIQUE (token), 
	CONSTRAINT fk_attempts_study_id FOREIGN KEY(study_id) REFERENCES studies (id) ON DELETE CASCADE, 
	CONSTRAINT uq_attempts_study_id_kind_trial_attempt UNIQUE (study_id, kind, trial, attempt)
);
INSERT INTO "attempts" VALUES(1,'1-b9be19ba976a3bfc95bda8f272d94582',1,0,1,'c17241f44b45140ead97b8b04f6f541b','b32d20ce-abe5-413e-a049-2f5115995f3e','complete',NULL,NULL,1.79528119536081862453e+09,1.79528119557418203351e+09,'trial');
INSERT INTO "attempts" VALUES(2,'2-fe0418f0120b3c87b7bb677574d9109b',2,0,1,'c17241f44b45140ead97b8b04f6f541b','62dca044-8ef8-47e7-9b17-e20eafee0b07','complete',NULL,NULL,1.79528119575074076655e+09,1.79528119592217850685e+09,'trial');
INSERT INTO "attempts" VALUES(3,'2-cf41a8706048fba6d88b2b7f0a99371a',2,1,1,'c17241f44b45140ead97b8b04f6f541b','e9eb13a1-9ccc-4a04-8938-a897e630cb47','pruned','the threshold pruner: 0.05 at step 0 is below 0.1',NULL,1.79528119598345303536e+09,1.79528119607584547997e+09,'trial');
INSERT INTO "attempts" VALUES(4,'2-8146d4ced73eefa3c521957c2b254c04',2,2,1,'c17241f44b45140ead97b8b04f6f541b','33192862-abf9-4d5b-9b5f-123b11d8c427','error','ValueError: no','Traceback',1.79528119609188699726e+09,1.79528119610549449919e+09,'trial');
INSERT INTO "attempts" VALUES(5,'2-40154e1c5ec548b0a01d86abfeb7f166',2,3,1,'c17241f44b45140ead97b8b04f6f541b','ccb482c0-29ce-49cd-9cfc-25ab16a35342','preempted',NULL,NULL,1.79528119611465930942e+09,1.79528119632143521311e+09,'trial');
INSERT INTO "attempts" VALUES(6,'2-af8c8d5eac72c797f193e30c201731f7',2,4,1,'c17241f44b45140ead97b8b04f6f541b','636ad563-b4dd-4f31-bc0a-975b750c5809',NULL,NULL,NULL,1.79528119614955520635e+09,NULL,'trial');
INSERT INTO "attempts" VALUES(7,'3-9f29b7f2c6cdf818fa99c9706407b85e',3,0,1,'c17241f44b45140ead97b8b04f6f541b','9f2d48d1-4e66-4782-b409-2a0f339bcdb4',NULL,NULL,NULL,1.7952811966051898003e+09,NULL,'range_test');
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
INSERT INTO "checkpoints" VALUES(2,4,1,'9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c',X'77656967687473',1.7952811962723886967e+09);
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
INSERT INTO "range_tests" VALUES(3,0,'adam','{"optimizer":{"name":"adam"},"parameters":{},"start":1e-06,"end":1.0,"updates":200,"seeds":[0,1,2,3]}','57c58a4582529a1916a425ed9d25204676d49ea987a0f912c2d798b3943e69a8',1,'running',NULL,1,0,'old',NULL,'{}',NULL,NULL,NULL,1.7952811966051898003e+09,NULL);
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
INSERT INTO "reports" VALUES(1,0,1,0,0.3,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',2,1.79528119544581294059e+09);
INSERT INTO "reports" VALUES(1,0,1,1,0.4,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',3,1.79528119548993968963e+09);
INSERT INTO "reports" VALUES(1,0,1,2,0.5,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 2',4,1.79528119552279067034e+09);
INSERT INTO "reports" VALUES(2,0,1,0,0.5,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',2,1.79528119581434917446e+09);
INSERT INTO "reports" VALUES(2,0,1,1,0.7,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',3,1.79528119584020543096e+09);
INSERT INTO "reports" VALUES(2,0,1,2,0.6,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 2',4,1.79528119586965894697e+09);
INSERT INTO "reports" VALUES(2,1,1,0,0.05,0.1,'{"loss":1.0}','prune','the threshold pruner: 0.05 at step 0 is below 0.1',7,1.79528119607584547997e+09);
INSERT INTO "reports" VALUES(2,2,1,0,0.4,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',9,1.79528119609994029999e+09);
INSERT INTO "reports" VALUES(2,3,1,0,0.2,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',12,1.7952811961242434979e+09);
INSERT INTO "reports" VALUES(2,4,1,0,0.25,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',14,1.79528119621198606488e+09);
INSERT INTO "reports" VALUES(2,4,1,1,0.35,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',15,1.79528119623720216753e+09);
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
INSERT INTO "studies" VALUES(1,'done','{"name": "done", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 1}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'completed','all 1 trials are finished (max_trials)',5,0,0,1,0,0,0,0,3,3,0,1.0,'{}',1.79528119507644367213e+09,1.79528119557418203351e+09,0,0);
INSERT INTO "studies" VALUES(2,'under-way','{"name": "under-way", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'active',NULL,17,2,1,1,1,1,1,1,8,5,0,5.0,'{}',1.79528119567825150486e+09,NULL,0,0);
INSERT INTO "studies" VALUES(3,'tested','{"name": "tested", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"adam": {"learning_rate": {"range_test": {}}}}, "schedule": {"constant": {}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'active',NULL,1,0,0,0,0,0,0,0,0,0,0,6.0,'{}',1.79528119637887310987e+09,NULL,0,1);
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
INSERT INTO "tokens" VALUES('3706d2ba3b577fcd','me','admin','6e9853bb1eac6c6da08feff7bae6473d557d2b0142dad3178adfdaa5d40f3fcc',1.79528117254105710988e+09,NULL,1.79528119104432153704e+09,NULL);
INSERT INTO "tokens" VALUES('eb9be2b752cc27f0','ada','researcher','feeba171cd8c81fc5d3f3a13f60612444b74b7ad694c0e48f4a4d778a1f61f5f',1.79528119446590304379e+09,NULL,1.79528119506343340869e+09,NULL);
INSERT INTO "tokens" VALUES('6245032a10df98a6','gpus','worker','fd21ecf669491cb00e8145ef046cf0acd33860efd4779354e88a572d251c2be3',1.79528119459170913694e+09,NULL,1.79528119551431083675e+09,NULL);
INSERT INTO "tokens" VALUES('e68bc38090dcafe6','gone','viewer','01f12d37ca61e67336c25b465d8642748cb1b7844e0536b7370427b852d5ee9e',1.79528119483428406713e+09,NULL,NULL,1.79528119498895406729e+09);
INSERT INTO "tokens" VALUES('02429964478fad44','brief','viewer','9c8676d6b859ddbe5956ef4bea24d74a11bc8f7d543133c670600590ee9a3139',1.7952811948625912666e+09,1.79787319486259126663e+09,NULL,NULL);
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
INSERT INTO "trials" VALUES(1,1,0,'complete',NULL,'{}','{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}',0.5,NULL,'{"loss":0.5}',1,0,3,'old','{}',5,1.79528119536081862453e+09,1.79528119536081862453e+09,1.79528119557418203351e+09);
INSERT INTO "trials" VALUES(2,2,0,'complete',NULL,'{}','{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}',0.6,NULL,'{}',1,0,3,'old','{}',5,1.79528119575074076655e+09,1.79528119575074076655e+09,1.79528119592217850685e+09);
INSERT INTO "trials" VALUES(3,2,1,'pruned',NULL,'{}','{"optimizer":"sgd","sgd.learning_rate":0.07147937121918604,"schedule":"constant"}',NULL,NULL,'{}',1,0,1,'old','{}',7,1.79528119598345303536e+09,1.79528119598345303536e+09,1.79528119607584547997e+09);
INSERT INTO "trials" VALUES(4,2,2,'fail','error','{}','{"optimizer":"sgd","sgd.learning_rate":0.265892009566615,"schedule":"cosine","cosine.alpha":0.07158732886668602}',NULL,NULL,'{}',1,0,1,'old','{}',10,1.79528119609188699726e+09,1.79528119609188699726e+09,1.79528119610549449919e+09);
INSERT INTO "trials" VALUES(5,2,3,'waiting','its worker handed it back; it will run again','{}','{"optimizer":"adam","adam.learning_rate":3.4076981137224386e-05,"schedule":"constant"}',NULL,NULL,'{}',1,0,1,'old','{}',16,1.79528119611465930942e+09,1.79528119611465930942e+09,NULL);
INSERT INTO "trials" VALUES(6,2,4,'running',NULL,'{}','{"optimizer":"sgd","sgd.learning_rate":0.0010965139826749262,"schedule":"cosine","cosine.alpha":0.09838027865971004}',NULL,NULL,'{}',1,0,2,'old','{}',15,1.79528119614955520635e+09,1.79528119614955520635e+09,NULL);
INSERT INTO "trials" VALUES(7,2,5,'waiting',NULL,'{"optimizer":"sgd","sgd.learning_rate":0.01,"schedule":"constant"}',NULL,NULL,NULL,'{}',0,0,0,NULL,'{}',17,1.79528119635819888117e+09,NULL,NULL);
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
	deadline DOUBLE NOT NULL, abilities TEXT DEFAULT '[]' NOT NULL, token_id VARCHAR(16), 
	CONSTRAINT pk_workers PRIMARY KEY (id)
);
INSERT INTO "workers" VALUES('c17241f44b45140ead97b8b04f6f541b','old','{"task":{}}','["GPU 0"]','{"lehr":"0.1.0"}',0,0,1.79528119502315425875e+09,1.7952811966051898003e+09,1.7952817966051898002e+09,'["range_test"]','6245032a10df98a6');
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
