-- Names, types and values that trip movers up; all of it fits D1.
CREATE TABLE "order" ("select" INTEGER PRIMARY KEY, "group by" TEXT DEFAULT 'it''s, (fine)', [from] INT, `to``do` BLOB);
CREATE TABLE "quoted ""name""" ("a""b" TEXT, 'c d' INTEGER, "naïve ☃" REAL, "" TEXT);
CREATE TABLE "a {0} WHERE b" ("{x}" INTEGER, "c ORDER BY d" TEXT, PRIMARY KEY ("c ORDER BY d")) WITHOUT ROWID;
CREATE TABLE таблица (ключ TEXT COLLATE NOCASE PRIMARY KEY, значение NUMERIC) WITHOUT ROWID;
CREATE TABLE untyped (a, b, c);
CREATE TABLE aliases (rowid TEXT, _rowid_ TEXT, oid TEXT);
CREATE TABLE hides_rowid (rowid TEXT PRIMARY KEY, n INTEGER);
CREATE TABLE nullable_key (k TEXT PRIMARY KEY, v INTEGER);
CREATE TABLE mixed (k ANY, j ANY, v ANY, PRIMARY KEY (k, j)) STRICT, WITHOUT ROWID;
CREATE TABLE generated (
  a INTEGER PRIMARY KEY, b TEXT, c TEXT AS (upper(b)) STORED, d INTEGER GENERATED ALWAYS AS (length(b) + a) VIRTUAL,
  e REAL AS (power(a, 2)), CHECK (a > 0) CHECK (b <> ')' /* ) */));
CREATE TABLE tags (tag VARCHAR(10) NOT NULL ON CONFLICT IGNORE, weight DECIMAL(10, 5) DEFAULT -1.5e-3, made TEXT DEFAULT CURRENT_DATE,
  flag BOOLEAN DEFAULT TRUE, raw BLOB DEFAULT x'00ff', expr TEXT DEFAULT (json_object('a', 1)) -- a remark
);
CREATE TABLE left_side (id INTEGER PRIMARY KEY, right_id INTEGER REFERENCES right_side (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE right_side (id INTEGER PRIMARY KEY, left_id INTEGER CONSTRAINT back REFERENCES left_side ON UPDATE CASCADE);
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
CREATE TABLE emptied (id INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE empty (a TEXT PRIMARY KEY);
CREATE VIRTUAL TABLE notes USING fts5 (title, body, tag UNINDEXED, tokenize = 'porter unicode61');
CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT);
CREATE VIRTUAL TABLE docs_index USING fts5 (body, content = 'docs', content_rowid = 'id');
CREATE VIRTUAL TABLE boxes USING rtree (id, x1, x2, +label TEXT);
CREATE INDEX "index on order" ON "order" ("group by" COLLATE RTRIM DESC, "select" % 2);
CREATE UNIQUE INDEX ix_notes ON tags (coalesce(tag, 'none') || '-' || ceiling(weight)) WHERE weight > 100;
CREATE VIEW "view (a)" ("x", "y") AS SELECT "select", iif("from" > 1, 'many', 'one') FROM "order";
CREATE VIEW chained AS SELECT x FROM "view (a)" UNION SELECT a FROM generated;
CREATE TRIGGER docs_insert AFTER INSERT ON docs BEGIN
  INSERT INTO docs_index (rowid, body) VALUES (NEW.id, NEW.body);
END;
CREATE TRIGGER "trigger; with ""quotes""" BEFORE UPDATE OF v ON counted WHEN NEW.v = ';' BEGIN
  SELECT RAISE(ABORT, 'no; END');
END;
INSERT INTO "order" VALUES (-9223372036854775808, NULL, 9223372036854775807, x''), (0, '', '', NULL), (9223372036854775807, 'x ', 1.5, x'00');
INSERT INTO "quoted ""name""" VALUES ('a' || char(0) || 'b', 1, 1e308, NULL), (NULL, '1', -0.0, ''), ('☃', x'31', 9e999, ' '), ('☃', x'31', 9e999, ' ');
INSERT INTO "a {0} WHERE b" VALUES (1, 'x'), (2, 'y'), (NULL, '');
INSERT INTO таблица VALUES ('б', 1), ('Б', 1.0), ('a', '1x'), ('B', NULL);
INSERT INTO untyped VALUES (1, 1.0, '1'), (1, 1.0, '1'), (NULL, '', x''), (0.1, -9e999, 5e-324), (-0.0, 0.0, 0);
INSERT INTO aliases VALUES ('1', '2', '3'), ('1', '2', '3'), (NULL, NULL, NULL);
INSERT INTO hides_rowid VALUES ('k', 1), ('', 2), (NULL, 3), (NULL, 4);
INSERT INTO nullable_key VALUES (NULL, 1), (NULL, 1), ('a', 2), ('A', 3);
INSERT INTO mixed VALUES (1, 'a', x'00'), ('1', 'a', NULL), (x'31', 'a', 1.5), (1.5, '', 'x');
INSERT INTO generated (a, b) VALUES (1, 'x'), (2, NULL), (3, 'ß');
INSERT INTO tags (tag) VALUES ('a'), ('b');
INSERT INTO left_side VALUES (1, 1), (2, NULL);
INSERT INTO right_side VALUES (1, 1);
INSERT INTO counted (id, v) VALUES (500, 'a'), (7, ''), (501, 'deleted');
DELETE FROM counted WHERE id = 501;
INSERT INTO emptied VALUES (41);
DELETE FROM emptied;
INSERT INTO notes VALUES ('Running', 'the runner runs', 'x'), ('Zürich', NULL, ''), ('', '', NULL);
DELETE FROM notes WHERE title = 'Running';
INSERT INTO docs VALUES (5, 'quick brown fox'), (9, 'lazy dog');
INSERT INTO boxes VALUES (1, 0.1, 0.3, 'a'), (7, -5, 1e10, NULL);
