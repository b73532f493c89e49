BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE attempts (
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
	CONSTRAINT pk_attempts PRIMARY KEY (id), 
	CONSTRAINT fk_attempts_study_id FOREIGN KEY(study_id) REFERENCES studies (id) ON DELETE CASCADE, 
	CONSTRAINT fk_attempts_worker_id FOREIGN KEY(worker_id) REFERENCES workers (id), 
	CONSTRAINT uq_attempts_study_id_trial_attempt UNIQUE (study_id, trial, attempt), 
	CONSTRAINT uq_attempts_token UNIQUE (token), 
	CONSTRAINT uq_attempts_worker_id_request_id UNIQUE (worker_id, request_id)
);
INSERT INTO "attempts" VALUES(1,'1-c6435756e47189db774c28fe4e661f5b',1,0,1,'ca03d740e3ebd6ebaa9abd3a071e3820','917d925c-8521-4c00-89d9-83b87ecaa356','complete',NULL,NULL,1.79526815635837721824e+09,1.79526815647218537328e+09);
INSERT INTO "attempts" VALUES(2,'2-f5bb19d0a2e0425155c8822e46bcf395',2,0,1,'ca03d740e3ebd6ebaa9abd3a071e3820','a41fcaba-722c-4d83-bcc8-2c0d332758d4','complete',NULL,NULL,1.7952681565451135635e+09,1.79526815659299397468e+09);
INSERT INTO "attempts" VALUES(3,'2-dae1489c8c76b96685c0f176454d63ab',2,1,1,'ca03d740e3ebd6ebaa9abd3a071e3820','68e25f58-5c72-4a87-a769-9d188baca194','pruned','the threshold pruner: 0.05 at step 0 is below 0.1',NULL,1.79526815660033726689e+09,1.79526815661284232144e+09);
INSERT INTO "attempts" VALUES(4,'2-80e15316ba1c7239e4801217c447af32',2,2,1,'ca03d740e3ebd6ebaa9abd3a071e3820','da5bbb56-8ec7-462a-8d12-3e8393efbab9','error','ValueError: no','Traceback',1.79526815662596726415e+09,1.79526815669345211987e+09);
INSERT INTO "attempts" VALUES(5,'2-6d8bc231a1449f89386b7a16fb28f4a6',2,3,1,'ca03d740e3ebd6ebaa9abd3a071e3820','065b21dc-d03d-485a-b8d1-564bf0a6fd51','preempted','handed back',NULL,1.79526815671051120752e+09,1.79526815684028458598e+09);
INSERT INTO "attempts" VALUES(6,'2-0e22369b4768bb0664fea3f72128a22e',2,4,1,'ca03d740e3ebd6ebaa9abd3a071e3820','eade7762-7ae7-4c5b-b087-d0030e2d03fd',NULL,NULL,NULL,1.79526815673666119573e+09,NULL);
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
INSERT INTO "checkpoints" VALUES(2,4,1,'9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c',X'77656967687473',1.79526815681353354449e+09);
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
INSERT INTO "reports" VALUES(1,0,1,0,0.3,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',2,1.79526815640244865419e+09);
INSERT INTO "reports" VALUES(1,0,1,1,0.4,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',3,1795268156.4308);
INSERT INTO "reports" VALUES(1,0,1,2,0.5,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 2',4,1.79526815645070052145e+09);
INSERT INTO "reports" VALUES(2,0,1,0,0.5,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',2,1.79526815656839537618e+09);
INSERT INTO "reports" VALUES(2,0,1,1,0.7,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',3,1.79526815657618808753e+09);
INSERT INTO "reports" VALUES(2,0,1,2,0.6,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 2',4,1.79526815658773231509e+09);
INSERT INTO "reports" VALUES(2,1,1,0,0.05,0.1,'{"loss":1.0}','prune','the threshold pruner: 0.05 at step 0 is below 0.1',7,1.79526815661284232144e+09);
INSERT INTO "reports" VALUES(2,2,1,0,0.4,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',9,1.79526815666211152083e+09);
INSERT INTO "reports" VALUES(2,3,1,0,0.2,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',13,1.79526815676216650007e+09);
INSERT INTO "reports" VALUES(2,4,1,0,0.25,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',14,1.79526815677953505514e+09);
INSERT INTO "reports" VALUES(2,4,1,1,0.35,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',15,1.79526815679569029808e+09);
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
	finished_at DOUBLE, 
	CONSTRAINT uq_studies_name UNIQUE (name)
);
INSERT INTO "studies" VALUES(1,'done','{"name": "done", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 1}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'completed','all 1 trials are finished (max_trials)',5,0,0,1,0,0,0,0,3,3,0,1.0,'{}',1.79526815625847864154e+09,1.79526815647218537328e+09);
INSERT INTO "studies" VALUES(2,'under-way','{"name": "under-way", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'active',NULL,17,2,1,1,1,1,1,1,8,5,0,5.0,'{}',1.79526815650820469852e+09,NULL);
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
INSERT INTO "trials" VALUES(1,1,0,'complete',NULL,'{}','{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}',0.5,NULL,'{"loss":0.5}',1,0,3,'old','{}',5,1.79526815635837721824e+09,1.79526815635837721824e+09,1.79526815647218537328e+09);
INSERT INTO "trials" VALUES(2,2,0,'complete',NULL,'{}','{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}',0.6,NULL,'{}',1,0,3,'old','{}',5,1.7952681565451135635e+09,1.7952681565451135635e+09,1.79526815659299397468e+09);
INSERT INTO "trials" VALUES(3,2,1,'pruned',NULL,'{}','{"optimizer":"sgd","sgd.learning_rate":0.07147937121918604,"schedule":"constant"}',NULL,NULL,'{}',1,0,1,'old','{}',7,1.79526815660033726689e+09,1.79526815660033726689e+09,1.79526815661284232144e+09);
INSERT INTO "trials" VALUES(4,2,2,'fail','error','{}','{"optimizer":"sgd","sgd.learning_rate":0.265892009566615,"schedule":"cosine","cosine.alpha":0.07158732886668602}',NULL,NULL,'{}',1,0,1,'old','{}',10,1.79526815662596726415e+09,1.79526815662596726415e+09,1.79526815669345211987e+09);
INSERT INTO "trials" VALUES(5,2,3,'waiting','its worker handed it back; it will run again','{}','{"optimizer":"adam","adam.learning_rate":3.4076981137224386e-05,"schedule":"constant"}',NULL,NULL,'{}',1,0,1,'old','{}',16,1.79526815671051120752e+09,1.79526815671051120752e+09,NULL);
INSERT INTO "trials" VALUES(6,2,4,'running',NULL,'{}','{"optimizer":"sgd","sgd.learning_rate":0.0010965139826749262,"schedule":"cosine","cosine.alpha":0.09838027865971004}',NULL,NULL,'{}',1,0,2,'old','{}',15,1.79526815673666119573e+09,1.79526815673666119573e+09,NULL);
INSERT INTO "trials" VALUES(7,2,5,'waiting',NULL,'{"optimizer":"sgd","sgd.learning_rate":0.01,"schedule":"constant"}',NULL,NULL,NULL,'{}',0,0,0,NULL,'{}',17,1.79526815685845255853e+09,NULL,NULL);
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
	deadline DOUBLE NOT NULL, 
	CONSTRAINT pk_workers PRIMARY KEY (id)
);
INSERT INTO "workers" VALUES('ca03d740e3ebd6ebaa9abd3a071e3820','old','{"task":{}}','["GPU 0"]','{"lehr":"0.1.0"}',0,0,1.795268156251680851e+09,1.79526815684028458598e+09,1.79526875684028458602e+09);
CREATE INDEX ix_studies_state ON studies (state);
CREATE INDEX ix_workers_lost_deadline ON workers (lost, deadline);
CREATE INDEX ix_attempts_running ON attempts (worker_id, outcome);
CREATE INDEX ix_reports_study_id_revision ON reports (study_id, revision);
CREATE INDEX ix_trials_study_id_revision ON trials (study_id, revision);
CREATE INDEX ix_trials_study_id_state_number ON trials (study_id, state, number);
CREATE INDEX ix_trials_study_id_value ON trials (study_id, value);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('studies',2);
COMMIT;
