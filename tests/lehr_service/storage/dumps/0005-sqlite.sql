-- tokens: {"me": "lehr_0afac4107031c5e9_fb5d8f48f00c1ab7674698ea602355119d6017e2b02a6aed", "ada": "lehr_8c05ccf03670ad0b_12895f097ec817eae8dfab78b93d6f4c43c6963d2a96b7ac", "gpus": "lehr_56a242655e922b43_75e4cd2ce50f1a625b02dc37157332c27316dbe66818affc", "gone": "lehr_850a3df67528ff79_ba4d11a07ac955095d1d690a63cab25cb1fe83a05e2ce37a", "brief": "lehr_d1cd3824c514b442_bd2914ac43ec395797c349daa5b9965721cd1899605e83f1"}
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
INSERT INTO "attempts" VALUES(1,'1-892d49a24a382c403fa9964ca5f9bffd',1,0,1,'b4abbacf358febd0239a20d0da274371','a953f627-3602-4d7e-8849-fe3542ab668d','complete',NULL,NULL,1.79528126668206787107e+09,1.79528126686241412159e+09,'trial');
INSERT INTO "attempts" VALUES(2,'2-933efc61116dce02f65baae139c89509',2,0,1,'b4abbacf358febd0239a20d0da274371','7ef79f95-3b94-496a-a117-5e7a29ba2d47','complete',NULL,NULL,1.7952812669827737808e+09,1.79528126708204030992e+09,'trial');
INSERT INTO "attempts" VALUES(3,'2-12ec5a99242fafbcbccc7a81bfde9d14',2,1,1,'b4abbacf358febd0239a20d0da274371','360043da-5c36-43b3-9094-49bc3739db2f','pruned','the threshold pruner: 0.05 at step 0 is below 0.1',NULL,1.7952812671316013336e+09,1.79528126715150189397e+09,'trial');
INSERT INTO "attempts" VALUES(4,'2-5d4ed11e343b243100081e4e153d2c68',2,2,1,'b4abbacf358febd0239a20d0da274371','1b1774e8-0872-4ef0-ae71-badbc840dd03','error','ValueError: no','Traceback',1.79528126719694948194e+09,1.7952812672476997375e+09,'trial');
INSERT INTO "attempts" VALUES(5,'2-8bb75f4d8782973ef1aeab34481387e3',2,3,1,'b4abbacf358febd0239a20d0da274371','c9ba0f71-d9ed-4702-82b0-af6ee417d74d','preempted',NULL,NULL,1.79528126736404013627e+09,1.79528126751805329323e+09,'trial');
INSERT INTO "attempts" VALUES(6,'2-5503fa06c502a99801e286286f73c2cf',2,4,1,'b4abbacf358febd0239a20d0da274371','d505c95e-796d-403e-b2e0-874bb4ccb33f',NULL,NULL,NULL,1.79528126744401073456e+09,NULL,'trial');
INSERT INTO "attempts" VALUES(7,'3-57510371a0005cb4b27a9bfd8fa080cf',3,0,1,'b4abbacf358febd0239a20d0da274371','d9de1c10-4bc4-4308-babc-422c2f83b9e2',NULL,NULL,NULL,1.79528126759714603427e+09,NULL,'range_test');
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
INSERT INTO "checkpoints" VALUES(2,4,1,'9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c',X'77656967687473',1.7952812674993367195e+09);
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
INSERT INTO "range_tests" VALUES(3,0,'adam','{"optimizer":{"name":"adam"},"parameters":{},"start":1e-06,"end":1.0,"updates":200,"seeds":[0,1,2,3]}','57c58a4582529a1916a425ed9d25204676d49ea987a0f912c2d798b3943e69a8',1,'running',NULL,1,0,'old',NULL,'{}',NULL,NULL,NULL,1.79528126759714603427e+09,NULL);
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
INSERT INTO "reports" VALUES(1,0,1,0,0.3,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',2,1.7952812667702841759e+09);
INSERT INTO "reports" VALUES(1,0,1,1,0.4,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',3,1.79528126679800629616e+09);
INSERT INTO "reports" VALUES(1,0,1,2,0.5,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 2',4,1.79528126682707500454e+09);
INSERT INTO "reports" VALUES(2,0,1,0,0.5,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',2,1.79528126701906609531e+09);
INSERT INTO "reports" VALUES(2,0,1,1,0.7,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',3,1.79528126704566192619e+09);
INSERT INTO "reports" VALUES(2,0,1,2,0.6,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 2',4,1.7952812670552859306e+09);
INSERT INTO "reports" VALUES(2,1,1,0,0.05,0.1,'{"loss":1.0}','prune','the threshold pruner: 0.05 at step 0 is below 0.1',7,1.79528126715150189397e+09);
INSERT INTO "reports" VALUES(2,2,1,0,0.4,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',9,1.79528126721630525586e+09);
INSERT INTO "reports" VALUES(2,3,1,0,0.2,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',12,1.79528126740311884876e+09);
INSERT INTO "reports" VALUES(2,4,1,0,0.25,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 0',14,1.79528126746769738195e+09);
INSERT INTO "reports" VALUES(2,4,1,1,0.35,0.1,'{"loss":1.0}','continue','the threshold pruner lets it go on at step 1',15,1.79528126748613166803e+09);
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
INSERT INTO "studies" VALUES(1,'done','{"name": "done", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 1}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'completed','all 1 trials are finished (max_trials)',5,0,0,1,0,0,0,0,3,3,0,1.0,'{}',1.79528126647591805458e+09,1.79528126686241412159e+09,0,0);
INSERT INTO "studies" VALUES(2,'under-way','{"name": "under-way", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": true}}, "adam": {"learning_rate": {"low": 1e-05, "high": 0.1, "log": true}}}, "schedule": {"constant": {}, "cosine": {"alpha": {"low": 0.0, "high": 0.1}}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'active',NULL,17,2,1,1,1,1,1,1,8,5,0,5.0,'{}',1.79528126691836118693e+09,NULL,0,0);
INSERT INTO "studies" VALUES(3,'tested','{"name": "tested", "task": "task", "objective": {"metric": "val_accuracy", "direction": "maximize", "select": "last", "judge": "auto"}, "search_space": {"optimizer": {"adam": {"learning_rate": {"range_test": {}}}}, "schedule": {"constant": {}}}, "training": {"epochs": 3, "seed": 0}, "sampler": {"name": "tpe", "seed": 1}, "pruner": {"name": "threshold", "lower": 0.1}, "limits": {"max_trials": 8}, "retry": {"max_attempts": 3}, "weight": 1.0, "labels": {}}',1,'active',NULL,1,0,0,0,0,0,0,0,0,0,0,6.0,'{}',1.79528126753900980948e+09,NULL,0,1);
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
INSERT INTO "tokens" VALUES('0afac4107031c5e9','me','admin','79a065926ea1a1c4c2736a43e2dc15fab7ff34b87f9078440cd0522d0f49266e',1.79528124664658474919e+09,NULL,1.79528126635257935525e+09,NULL);
INSERT INTO "tokens" VALUES('8c05ccf03670ad0b','ada','researcher','0e15331adbd14be83390ffa1b8fdaa1b26b5da39658a6266e4df29d22a231d18',1.79528126635699057577e+09,NULL,1.79528126691746234893e+09,NULL);
INSERT INTO "tokens" VALUES('56a242655e922b43','gpus','worker','88d7f21a8a22c2325296adfe01004df7fbdc132f05ebdee39fcb44e0815aa5c4',1.79528126638944625858e+09,NULL,1.79528126734759473797e+09,NULL);
INSERT INTO "tokens" VALUES('850a3df67528ff79','gone','viewer','3a91ae1795b8c6e7124eb29012b77264f5c85a979ceb10af3090d46b3e5f5ed1',1.79528126639700770375e+09,NULL,NULL,1.79528126641142630583e+09);
INSERT INTO "tokens" VALUES('d1cd3824c514b442','brief','viewer','3c905d5fb0dfc30f681a6abead319220b0ca50be4318f5d79186341293f7abe3',1.79528126640238738058e+09,1.79787326640238738061e+09,NULL,NULL);
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
INSERT INTO "trials" VALUES(1,1,0,'complete',NULL,'{}','{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}',0.5,NULL,'{"loss":0.5}',1,0,3,'old','{}',5,1.79528126668206787107e+09,1.79528126668206787107e+09,1.79528126686241412159e+09);
INSERT INTO "trials" VALUES(2,2,0,'complete',NULL,'{}','{"optimizer":"adam","adam.learning_rate":0.013302068028434465,"schedule":"constant"}',0.6,NULL,'{}',1,0,3,'old','{}',5,1.7952812669827737808e+09,1.7952812669827737808e+09,1.79528126708204030992e+09);
INSERT INTO "trials" VALUES(3,2,1,'pruned',NULL,'{}','{"optimizer":"sgd","sgd.learning_rate":0.07147937121918604,"schedule":"constant"}',NULL,NULL,'{}',1,0,1,'old','{}',7,1.7952812671316013336e+09,1.7952812671316013336e+09,1.79528126715150189397e+09);
INSERT INTO "trials" VALUES(4,2,2,'fail','error','{}','{"optimizer":"sgd","sgd.learning_rate":0.265892009566615,"schedule":"cosine","cosine.alpha":0.07158732886668602}',NULL,NULL,'{}',1,0,1,'old','{}',10,1.79528126719694948194e+09,1.79528126719694948194e+09,1.7952812672476997375e+09);
INSERT INTO "trials" VALUES(5,2,3,'waiting','its worker handed it back; it will run again','{}','{"optimizer":"adam","adam.learning_rate":3.4076981137224386e-05,"schedule":"constant"}',NULL,NULL,'{}',1,0,1,'old','{}',16,1.79528126736404013627e+09,1.79528126736404013627e+09,NULL);
INSERT INTO "trials" VALUES(6,2,4,'running',NULL,'{}','{"optimizer":"sgd","sgd.learning_rate":0.0010965139826749262,"schedule":"cosine","cosine.alpha":0.09838027865971004}',NULL,NULL,'{}',1,0,2,'old','{}',15,1.79528126744401073456e+09,1.79528126744401073456e+09,NULL);
INSERT INTO "trials" VALUES(7,2,5,'waiting',NULL,'{"optimizer":"sgd","sgd.learning_rate":0.01,"schedule":"constant"}',NULL,NULL,NULL,'{}',0,0,0,NULL,'{}',17,1.79528126752865338326e+09,NULL,NULL);
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
INSERT INTO "workers" VALUES('b4abbacf358febd0239a20d0da274371','old','{"task":{}}','["GPU 0"]','{"lehr":"0.1.0"}',0,0,1.79528126641818737982e+09,1.79528126759714603427e+09,1.7952818675971460343e+09,'["range_test"]','56a242655e922b43','{"mine":"importing <mine> failed: ImportError: no such thing"}');
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
