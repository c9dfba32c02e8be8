BEGIN TRANSACTION;
CREATE TABLE _edgelift_chunks (
  target TEXT NOT NULL, number INTEGER NOT NULL, condition TEXT NOT NULL, estimate INTEGER NOT NULL,
  low INTEGER, high INTEGER, rows INTEGER, hash TEXT, first INTEGER, last INTEGER,
  PRIMARY KEY (target, number));
INSERT INTO "_edgelift_chunks" VALUES('members',0,'',50,NULL,NULL,3,'4a76c5015fa3790c',0,3);
INSERT INTO "_edgelift_chunks" VALUES('people',0,'',50,NULL,NULL,3,'7ae38f7e8d4e17a8',0,3);
INSERT INTO "_edgelift_chunks" VALUES('teams',0,'',50,NULL,NULL,2,'c60efa33e25ce459',0,2);
CREATE TABLE "members" (
  "team_id" INTEGER NOT NULL,
  "person_id" INTEGER NOT NULL,
  "role" TEXT,
  PRIMARY KEY ("team_id", "person_id"),
  FOREIGN KEY ("person_id") REFERENCES "people" ("id"),
  FOREIGN KEY ("team_id") REFERENCES "teams" ("id") ON DELETE CASCADE
);
INSERT INTO "members" VALUES(1,1,'boss');
INSERT INTO "members" VALUES(1,3,NULL);
INSERT INTO "members" VALUES(2,3,'helper');
CREATE TABLE "people" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  "name" TEXT NOT NULL,
  "email" VARCHAR(30) NOT NULL,
  "age" INTEGER,
  "points" INTEGER NOT NULL DEFAULT 0,
  "salary" NUMERIC(10, 2),
  "ratio" REAL,
  "active" BOOLEAN NOT NULL DEFAULT 1,
  "born" DATE,
  "wakes" TIME,
  "seen" TIMESTAMP,
  "made" TIMESTAMP NOT NULL DEFAULT '2024-01-01 00:00:00.000000',
  "feels" TEXT NOT NULL DEFAULT 'ok',
  "token" CHAR(36),
  "tags" TEXT NOT NULL DEFAULT '[]',
  "numbers" TEXT,
  "info" TEXT,
  "raw" BLOB,
  "worked" TIMESTAMP,
  "code" CHAR(3),
  UNIQUE ("email"),
  CONSTRAINT "people_age_check" CHECK (("age" >= 0)),
  CHECK ("feels" IN ('sad', 'ok', 'happy'))
);
INSERT INTO "people" VALUES(1,'Ada','ada@x',36,9000000000,1234.5,0.5,1,'1980-02-29','06:30:00.000000','2024-03-01 10:20:30.500000','2024-03-01 08:30:00.000000','happy','a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11','["red","a b"]','[1,2,3]','{"a": {"b": [1, 2.5, null]}, "s": "é", "ok": true}',X'00FF10','1970-01-02 02:03:04.500000','ab ');
INSERT INTO "people" VALUES(2,'bob','bob@x',NULL,0,NULL,NULL,0,NULL,NULL,NULL,'2024-03-02 12:00:00.000000','sad',NULL,'[]',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "people" VALUES(3,'Cy_50%','cy@x',20,5,0.1,1.0e+100,1,'2000-12-31','23:59:59.999999','2024-12-31 23:59:59.000000','2024-06-01 00:00:00.000000','ok',NULL,'["blue"]','[]','[1, 2]',X'','1969-12-31 23:59:59.000000','xyz');
CREATE TABLE "teams" (
  "id" INTEGER PRIMARY KEY NOT NULL,
  "title" TEXT NOT NULL,
  "lead_id" INTEGER,
  "budget" NUMERIC(12, 3),
  FOREIGN KEY ("lead_id") REFERENCES "people" ("id")
);
INSERT INTO "teams" VALUES(1,'Red',1,100.125);
INSERT INTO "teams" VALUES(2,'Blue',NULL,NULL);
CREATE UNIQUE INDEX "members_role" ON "members" ("team_id", "role");
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('people',3);
COMMIT;
