-- A music shop: many tables that refer to each other, as in well-known sample databases.
CREATE TABLE artist (artist_id INTEGER NOT NULL PRIMARY KEY, name NVARCHAR(120));
CREATE TABLE album (
  album_id INTEGER NOT NULL PRIMARY KEY, title NVARCHAR(160) NOT NULL, artist_id INTEGER NOT NULL,
  FOREIGN KEY (artist_id) REFERENCES artist (artist_id) ON DELETE NO ACTION ON UPDATE NO ACTION);
CREATE TABLE genre (genre_id INTEGER PRIMARY KEY AUTOINCREMENT, name NVARCHAR(120) UNIQUE COLLATE NOCASE);
CREATE TABLE track (
  track_id INTEGER NOT NULL, name NVARCHAR(200) NOT NULL, album_id INTEGER, genre_id INTEGER,
  composer NVARCHAR(220), milliseconds INTEGER NOT NULL CHECK (milliseconds > 0), bytes INTEGER,
  unit_price NUMERIC(10,2) NOT NULL DEFAULT (0.99),
  minutes REAL GENERATED ALWAYS AS (milliseconds / 60000.0) VIRTUAL,
  CONSTRAINT pk_track PRIMARY KEY (track_id),
  CONSTRAINT fk_album FOREIGN KEY (album_id) REFERENCES album ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (genre_id) REFERENCES genre (genre_id) ON DELETE SET NULL);
CREATE TABLE employee (
  employee_id INTEGER PRIMARY KEY, last_name TEXT NOT NULL, reports_to INTEGER REFERENCES employee (employee_id),
  hired DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE customer (
  customer_id INTEGER PRIMARY KEY, email TEXT NOT NULL, support_id INTEGER REFERENCES employee,
  UNIQUE (email), CHECK (instr(email, '@') > 1));
CREATE TABLE invoice (
  invoice_id INTEGER PRIMARY KEY AUTOINCREMENT, customer_id INTEGER NOT NULL REFERENCES customer ON DELETE RESTRICT,
  issued DATETIME NOT NULL, total NUMERIC NOT NULL DEFAULT 0);
CREATE TABLE invoice_line (
  invoice_id INTEGER NOT NULL REFERENCES invoice, position INTEGER NOT NULL, track_id INTEGER NOT NULL REFERENCES track,
  quantity INTEGER NOT NULL DEFAULT 1, PRIMARY KEY (invoice_id, position DESC)) WITHOUT ROWID;
CREATE TABLE playlist_track (playlist TEXT, track_id INTEGER, PRIMARY KEY (playlist, track_id)) STRICT;
CREATE INDEX ix_track_album ON track (album_id);
CREATE INDEX ix_track_name ON track (lower(name), genre_id DESC) WHERE genre_id IS NOT NULL;
CREATE UNIQUE INDEX ix_employee ON employee (last_name COLLATE NOCASE);
CREATE VIEW best AS
  SELECT a.name AS artist, count(*) AS sold, round(sum(l.quantity * t.unit_price), 2) AS revenue
    FROM invoice_line AS l JOIN track AS t USING (track_id) JOIN album USING (album_id) JOIN artist AS a USING (artist_id)
   GROUP BY a.artist_id ORDER BY revenue DESC;
CREATE VIEW tree AS
  WITH RECURSIVE boss(id, level) AS (
    SELECT employee_id, 0 FROM employee WHERE reports_to IS NULL
    UNION ALL SELECT employee_id, level + 1 FROM employee JOIN boss ON reports_to = boss.id)
  SELECT id, level, CAST(level AS TEXT) AS label FROM boss;
CREATE TRIGGER line_total AFTER INSERT ON invoice_line
BEGIN
  UPDATE invoice SET total = total + NEW.quantity * (SELECT unit_price FROM track WHERE track_id = NEW.track_id)
   WHERE invoice_id = NEW.invoice_id;
END;
CREATE TRIGGER best_insert INSTEAD OF INSERT ON best
BEGIN
  INSERT INTO artist (name) VALUES (NEW.artist);
END;
INSERT INTO artist VALUES (1, 'Björk'), (2, NULL), (3, 'AC/DC');
INSERT INTO album VALUES (1, 'Début', 1), (2, 'High Voltage', 3);
INSERT INTO genre (name) VALUES ('Rock'), ('Pop'), ('gone');
DELETE FROM genre WHERE name = 'gone';
INSERT INTO track (track_id, name, album_id, genre_id, milliseconds, bytes, unit_price) VALUES
  (1, 'Human Behaviour', 1, 2, 252000, 8000000, 0.99), (2, 'T.N.T.', 2, 1, 215000, NULL, 1), (3, '', NULL, NULL, 1, 0, 0.1);
INSERT INTO employee VALUES (1, 'Adams', NULL, '2002-08-14'), (2, 'Edwards', 1, '2002-05-01'), (3, 'Peacock', 2, '2003-01-02');
INSERT INTO customer VALUES (1, 'luis@example.com', 3), (2, 'leonie@example.com', NULL);
INSERT INTO invoice (customer_id, issued) VALUES (1, '2021-01-01'), (2, '2021-01-02');
INSERT INTO invoice_line VALUES (1, 1, 1, 2), (1, 2, 2, 1), (2, 1, 1, 1);
INSERT INTO playlist_track VALUES ('Heavy', 2), ('All', 1), ('All', 2);
