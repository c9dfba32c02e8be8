BEGIN TRANSACTION;
CREATE TABLE _edgelift_chunks (
  target TEXT NOT NULL, number INTEGER NOT NULL, condition TEXT NOT NULL, estimate INTEGER NOT NULL,
  low INTEGER, high INTEGER, rows INTEGER, hash TEXT, first INTEGER, last INTEGER,
  PRIMARY KEY (target, number));
INSERT INTO "_edgelift_chunks" VALUES('items',0,'',8,NULL,NULL,8,'0b4d9140b16fba25',0,8);
INSERT INTO "_edgelift_chunks" VALUES('sales',0,'',12,NULL,NULL,12,'39a5b3828abec851',0,12);
CREATE TABLE "items" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  "sku" VARCHAR(10) NOT NULL COLLATE NOCASE,
  "name" VARCHAR(40) NOT NULL COLLATE NOCASE,
  "price" NUMERIC(10, 2),
  "rate" REAL,
  "qty" INTEGER,
  "big" INTEGER,
  "active" BOOLEAN NOT NULL,
  "born" DATE,
  "wakes" TIME,
  "note" TEXT COLLATE NOCASE,
  "data" BLOB,
  "at" DATETIME,
  "doc" TEXT,
  "small" INTEGER,
  "status" TEXT NOT NULL COLLATE NOCASE,
  UNIQUE ("sku"),
  CONSTRAINT "doc" CHECK (JSON_VALID("doc")),
  CHECK ("status" COLLATE BINARY IN ('new', 'paid', 'cancelled'))
);
INSERT INTO "items" VALUES(1,'S0','Ada',-7,-0.75,-7,1099511627776,1,'2023-01-28','00:59:01.000000','note 0
of Ada',X'0000FF','2024-02-29 12:30:15.123456','{"n": 0, "deep": {"list": [0, null, 1.5], "on": true}, "word": ""}',0,'new');
INSERT INTO "items" VALUES(2,'S1','bob',0.25,-0.5,-4,1099511627777,0,'2024-02-28','01:59:01.000000',NULL,X'0001FF','2024-03-17 13:30:15.123457','{"n": 1, "deep": {"list": [1, null, 1.5], "on": false}, "word": "x"}',30,'paid');
INSERT INTO "items" VALUES(3,'S2','Čeněk',7.5,-0.25,-1,1099511627778,1,'2025-03-28','02:59:01.000000','note 2
of Čeněk',X'0002FF','2024-04-03 14:30:15.123458','{"n": 2, "deep": {"list": [2, null, 1.5], "on": true}, "word": "xx"}',60,'cancelled');
INSERT INTO "items" VALUES(4,'S3','d_%',14.75,0.0,2,1099511627779,1,'2023-04-28','03:59:01.000000',NULL,X'0003FF','2024-04-20 15:30:15.123459','{"n": 3, "deep": {"list": [3, null, 1.5], "on": false}, "word": "xxx"}',90,'new');
INSERT INTO "items" VALUES(5,'S4','it''s',22,0.25,5,1099511627780,0,'2024-05-28','04:59:01.000000','note 4
of it''s',X'0004FF','2024-05-07 16:30:15.123460','{"n": 4, "deep": {"list": [4, null, 1.5], "on": true}, "word": "xxxx"}',120,'paid');
INSERT INTO "items" VALUES(6,'S5','Zed',NULL,NULL,NULL,1099511627781,1,'2025-06-28',NULL,NULL,NULL,'2024-05-24 17:30:15.123461','{"n": 5, "deep": {"list": [5, null, 1.5], "on": false}, "word": "xxxxx"}',150,'cancelled');
INSERT INTO "items" VALUES(7,'S6','ada b',36.5,0.75,11,1099511627782,1,'2023-07-28','06:59:01.000000','note 6
of ada b',X'0006FF','2024-06-10 18:30:15.123462','{"n": 6, "deep": {"list": [6, null, 1.5], "on": true}, "word": "xxxxxx"}',180,'new');
INSERT INTO "items" VALUES(8,'S7','',43.75,1.0,14,1099511627783,0,'2024-08-28','07:59:01.000000',NULL,X'0007FF','2024-06-27 19:30:15.123463','{"n": 7, "deep": {"list": [7, null, 1.5], "on": false}, "word": "xxxxxxx"}',210,'paid');
CREATE TABLE "sales" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  "item_id" INTEGER NOT NULL,
  "amount" NUMERIC(8, 3) NOT NULL,
  "day" DATE NOT NULL,
  "region" VARCHAR(10) COLLATE NOCASE,
  FOREIGN KEY ("item_id") REFERENCES "items" ("id") ON DELETE RESTRICT ON UPDATE RESTRICT,
  CONSTRAINT "amount_is_no_debt" CHECK ("amount" >= 0)
);
INSERT INTO "sales" VALUES(1,2,1,'2024-01-31','north');
INSERT INTO "sales" VALUES(2,3,2,'2024-02-01','south');
INSERT INTO "sales" VALUES(3,3,2.125,'2024-02-02',NULL);
INSERT INTO "sales" VALUES(4,4,3,'2024-02-02',NULL);
INSERT INTO "sales" VALUES(5,4,3.125,'2024-02-03','north');
INSERT INTO "sales" VALUES(6,4,3.25,'2024-02-04','south');
INSERT INTO "sales" VALUES(7,6,5,'2024-02-04','south');
INSERT INTO "sales" VALUES(8,7,6,'2024-02-05',NULL);
INSERT INTO "sales" VALUES(9,7,6.125,'2024-02-06','north');
INSERT INTO "sales" VALUES(10,8,7,'2024-02-06','north');
INSERT INTO "sales" VALUES(11,8,7.125,'2024-02-07','south');
INSERT INTO "sales" VALUES(12,8,7.25,'2024-02-08',NULL);
CREATE INDEX "item_id" ON "sales" ("item_id");
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('items',8);
INSERT INTO "sqlite_sequence" VALUES('sales',12);
COMMIT;
