CREATE TABLE item(id integer PRIMARY KEY, name text, price float8, stock integer, big bigint, note text);
CREATE TABLE entry(id serial PRIMARY KEY, text text);
CREATE TABLE counter(id integer PRIMARY KEY, n integer NOT NULL);
INSERT INTO counter VALUES(1, 0);
INSERT INTO item SELECT i, 'item ' || i, i / 7.0, i % 50, 9007199254740992 + i, CASE WHEN i % 3 = 0 THEN repeat('x', 20) END
  FROM generate_series(1, 2000) i;
