BEGIN TRANSACTION;
CREATE TABLE _edgelift_chunks (
  target TEXT NOT NULL, number INTEGER NOT NULL, condition TEXT NOT NULL, estimate INTEGER NOT NULL,
  low INTEGER, high INTEGER, rows INTEGER, hash TEXT, first INTEGER, last INTEGER,
  PRIMARY KEY (target, number));
INSERT INTO "_edgelift_chunks" VALUES('members',0,'',3,NULL,NULL,3,'4a76c5015fa3790c',0,3);
INSERT INTO "_edgelift_chunks" VALUES('people',0,'',3,NULL,NULL,3,'bb36753a10e8bd87',0,3);
INSERT INTO "_edgelift_chunks" VALUES('teams',0,'',2,NULL,NULL,2,'c60efa33e25ce459',0,2);
CREATE TABLE "members" (
  "team_id" INTEGER NOT NULL,
  "person_id" INTEGER NOT NULL,
  "role" VARCHAR(20) COLLATE NOCASE,
  PRIMARY KEY ("team_id", "person_id"),
  FOREIGN KEY ("person_id") REFERENCES "people" ("id") ON DELETE RESTRICT ON UPDATE RESTRICT,
  FOREIGN KEY ("team_id") REFERENCES "teams" ("id") ON DELETE CASCADE ON UPDATE RESTRICT
);
INSERT INTO "members" VALUES(1,1,'boss');
INSERT INTO "members" VALUES(1,3,NULL);
INSERT INTO "members" VALUES(2,3,'helper');
CREATE TABLE "people" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  "name" VARCHAR(40) NOT NULL COLLATE NOCASE,
  "email" VARCHAR(30) NOT NULL COLLATE NOCASE,
  "age" INTEGER,
  "points" INTEGER NOT NULL DEFAULT 0,
  "salary" NUMERIC(10, 2),
  "ratio" REAL,
  "active" BOOLEAN NOT NULL DEFAULT 1,
  "born" DATE,
  "wakes" TIME,
  "seen" DATETIME,
  "made" DATETIME NOT NULL DEFAULT '2024-01-01 00:00:00.000000',
  "feels" TEXT NOT NULL COLLATE NOCASE DEFAULT 'ok',
  "info" TEXT COLLATE NOCASE,
  "raw" BLOB,
  "since" INTEGER,
  UNIQUE ("email"),
  CONSTRAINT "people_salary" CHECK ("salary" >= 0),
  CHECK ("feels" COLLATE BINARY IN ('sad', 'ok', 'happy'))
);
INSERT INTO "people" VALUES(1,'Ada','ada@x',36,9000000000,1234.5,0.5,1,'1980-02-29','06:30:00.000000','2024-03-01 10:20:30.000000','2024-03-01 09:30:00.250000','happy','{"a": 1}',X'00FF10',1999);
INSERT INTO "people" VALUES(2,'bob','bob@x',NULL,0,NULL,NULL,0,NULL,NULL,NULL,'2024-03-02 12:00:00.000000','sad',NULL,NULL,NULL);
INSERT INTO "people" VALUES(3,'Cy_50%','cy@x',20,5,0.1,1.0e+100,1,'2000-12-31','23:59:59.000000','2024-12-31 23:59:59.000000','2024-06-01 00:00:00.000000','ok','[1, 2]',X'',2024);
CREATE TABLE "teams" (
  "id" INTEGER PRIMARY KEY NOT NULL,
  "title" VARCHAR(20) NOT NULL COLLATE NOCASE,
  "lead_id" INTEGER,
  "budget" NUMERIC(12, 3),
  FOREIGN KEY ("lead_id") REFERENCES "people" ("id") ON DELETE RESTRICT ON UPDATE RESTRICT
);
INSERT INTO "teams" VALUES(1,'Red',1,100.125);
INSERT INTO "teams" VALUES(2,'Blue',NULL,NULL);
CREATE INDEX "members_person" ON "members" ("person_id");
CREATE INDEX "teams_lead" ON "teams" ("lead_id");
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('people',3);
COMMIT;
