-- Every rule by which an object is refused, beside one table that may move.
CREATE TABLE fine (id INTEGER PRIMARY KEY, v TEXT);
CREATE TABLE "_cf_mine" (id INTEGER PRIMARY KEY);
CREATE TABLE versioned (id INTEGER PRIMARY KEY, made_by TEXT DEFAULT (sqlite_version()));
CREATE TABLE patterns (v TEXT CHECK (v NOT LIKE '%a pattern of more than fifty bytes is refused by D1 today%'));
CREATE VIRTUAL TABLE old_search USING fts4 (body);
CREATE VIRTUAL TABLE contentless USING fts5 (body, content = '');
CREATE INDEX "_cf_index" ON fine (v);
CREATE VIEW version AS SELECT sqlite_version() AS v, v AS w FROM fine;
CREATE VIEW many AS SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6;
CREATE VIEW gone AS SELECT * FROM fine JOIN missing USING (id);
INSERT INTO fine VALUES (1, 'a');
CREATE TRIGGER cleaner AFTER INSERT ON fine BEGIN
  UPDATE fine SET v = regexp_clean(v) WHERE v REGEXP '[0-9]';
END;
CREATE TRIGGER orphan AFTER INSERT ON versioned BEGIN SELECT 1; END;
