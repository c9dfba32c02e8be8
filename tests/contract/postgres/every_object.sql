-- Every type and kind of object that PostgreSQL 15 has, with rows; the twin of mysql/every_object.sql.
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE EXTENSION btree_gist;
CREATE EXTENSION postgres_fdw;
CREATE SCHEMA shop;
CREATE SCHEMA "Weird Schema";
CREATE SCHEMA empty;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'very happy', 'it''s', 'Ünï');
CREATE TYPE address AS (street text, "house No" int, at point);
CREATE TYPE floatspan AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE DOMAIN email AS citext CHECK (VALUE LIKE '%@%') CHECK (length(VALUE) < 200);
CREATE DOMAIN positive AS numeric(12, 3) DEFAULT 1 NOT NULL CONSTRAINT is_positive CHECK (VALUE > 0);
CREATE DOMAIN shop.small_text AS varchar(5);
CREATE DOMAIN shop.smaller_text AS shop.small_text CHECK (VALUE <> '');
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION noaccent (provider = icu, locale = 'und-u-ks-level1-kc-true', deterministic = false);

CREATE TABLE numbers (
  id bigint GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 5) PRIMARY KEY,
  small smallint, whole integer DEFAULT -5, big bigint, o oid, flag boolean DEFAULT true,
  n numeric, n9 numeric(9, 2) DEFAULT 1.50, n15 numeric(15, 5), n40 numeric(40, 20), n_hundreds numeric(5, -3),
  single real, dbl double precision DEFAULT 1e-3, price money,
  b1 bit DEFAULT B'1', b12 bit(12), vb varbit, vb70 varbit(70)
);
INSERT INTO numbers OVERRIDING SYSTEM VALUE VALUES
  (1, -32768, -2147483648, -9223372036854775808, 0, false, 0.1, -0.01, 1234567890.12345, 123456789012345678.90123456789012345678,
   12000, 3.4e38, 1.7976931348623157e308, '$1,234.56', B'0', B'000000000001', B'', B'1'),
  (2, 32767, 2147483647, 9223372036854775807, 4294967295, true, 'NaN', 9999999.99, -0.00001, -0.00000000000000000001,
   -99000, 0.1, 5e-324, '-$0.01', B'1', B'111111111111', B'0101', repeat('01', 35)::varbit),
  (3, 0, 0, 9007199254740993, 1, NULL, 'Infinity', 0, 0, 0, 0, '-0', 'NaN', '$92,233,720,368,547,758.07', B'0', B'0'::bit(12), B'1', B'0'),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Infinity', '-Infinity', NULL, NULL, NULL, NULL, NULL),
  (5, 1, 1, 1, 1, true, 12345678901234567890.5, 1, 1, 1, 1000, 'NaN', -0.0, '$0.00', B'1', B'1'::bit(12), B'1', B'1');
SELECT setval(pg_get_serial_sequence('numbers', 'id'), 1005);

CREATE TABLE texts (
  code char(4) COLLATE "C" NOT NULL, part varchar(20) NOT NULL,
  c char, v text DEFAULT 'it''s \ "quoted"', n name, one "char", ci citext UNIQUE, folded text COLLATE nocase, plain text COLLATE "de-x-icu",
  bytes bytea DEFAULT '\x00ff27225c01', u uuid DEFAULT gen_random_uuid(), j json DEFAULT '{}', jb jsonb, x xml,
  m mood DEFAULT 'it''s', mail email, small shop.small_text, smaller shop.smaller_text, sum positive DEFAULT 2,
  i inet, net cidr, mac macaddr, mac8 macaddr8,
  words tsvector, query tsquery, lsn pg_lsn, snap pg_snapshot, class regclass, kind regtype, path jsonpath,
  xi xid, x8 xid8, ci_ cid, ti tid, ov oidvector, iv int2vector, acl aclitem, proc regproc,
  PRIMARY KEY (code, part)
);
INSERT INTO texts (code, part, c, v, n, one, ci, folded, plain, bytes, u, j, jb, x, m, mail, small, smaller, sum, i, net, mac, mac8,
    words, query, lsn, snap, class, kind, path, xi, x8, ci_, ti, ov, iv, acl, proc) VALUES
  ('a', 'one', 'x', 'trailing  ', 'a name', 'q', 'Mixed Case', 'Fold', 'Grüße', '\x00ff0a0d27', '12345678-1234-5678-1234-567812345678',
   '{"a": [1, 2.50, null, "ü"],  "a": 1}', '{"b": [1, 2.50], "a": {"n": null}}', '<a b="c">d</a>', 'very happy', 'Who@example.org', 'abcde', 'x', 0.001,
   '10.0.0.1', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', 'a:1 cat:2', 'cat & rat', '16/B374D848', '10:20:10,14,15',
   'pg_class', 'integer', '$.a[*] ? (@ > 1)', '3', '18446744073709551615', '4', '(1,2)', '1 2', '1 2', 'edgelift=r/edgelift', 'now'),
  ('A', 'one', '', '', '', '', '', '', '', '', '00000000-0000-0000-0000-000000000000', 'null', '"x"', '', 'sad', NULL, '', NULL, 99999999.999,
   '::1/64', '::/0', NULL, NULL, '', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ('b', '', NULL, E'tab\t😀 ' || repeat('ä', 70000), NULL, NULL, NULL, NULL, NULL, decode(repeat('00ff', 40000), 'hex'), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1,
   '::ffff:1.2.3.4', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE moments (
  id int PRIMARY KEY, d date DEFAULT '2020-02-29', t time, t0 time(0), tz timetz, ts timestamp, ts3 timestamp(3) DEFAULT LOCALTIMESTAMP,
  tstz timestamptz DEFAULT now(), iv interval, iv_day interval day to second(2)
);
INSERT INTO moments VALUES
  (1, '2024-02-29', '23:59:59.999999', '12:00', '12:00+05:45', '9999-12-31 23:59:59.999999', '2024-03-31 02:30:00.123', '2024-07-01 12:00:00+02', '1 day 02:03:04.5', '5 days 00:00:01.25'),
  (2, '0001-01-01', '00:00:00', '00:00', '00:00-15:59', '0001-01-01 00:00:00', '1970-01-01', '0001-01-01 00:00:00+00', '-5 hours', '0'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE wild_moments (id int PRIMARY KEY, d date, ts timestamp, tstz timestamptz, t time, tz timetz, iv interval, far interval);
INSERT INTO wild_moments VALUES
  (1, 'infinity', 'infinity', '-infinity', '24:00:00', '24:00:00+02', '1 year 2 mons 3 days 04:05:06.789', '4000000 days'),
  (2, '-infinity', '0044-03-15 12:00:00 BC', '0044-03-15 12:00:00 BC', '24:00:00', '00:00+00', '-1 mon', '-4000000 days'),
  (3, '0044-03-15 BC', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '00:00', '24:00:00-15:59', '178000000 years', '1 sec'),
  (4, '5874897-12-31', '10000-01-01', '10000-01-01 00:00+00', '12:34:56.789', '12:34:56.789+01', '0', '0'),
  (5, '2024-01-01', '2024-01-01', '2024-01-01 00:00+00', NULL, NULL, NULL, NULL);

CREATE TABLE nested (
  id int PRIMARY KEY, ints int[], words text[] DEFAULT ARRAY['a', 'b'], sums numeric(9, 2)[], matrix int[][], moods mood[], places address[],
  times timestamptz[], bytes bytea[], floats float8[], days date[], place address, h hstore,
  r4 int4range, r8 int8range, rn numrange, rts tsrange, rtz tstzrange, rd daterange, rf floatspan, mr int4multirange, md datemultirange,
  pt point, li line, ls lseg, bo box, pa path, po polygon, ci circle
);
INSERT INTO nested VALUES
  (1, '{1,2,NULL,-3}', '{"a,b","c\"d",NULL,""}', '{1.50,-2.25}', '{{1,2},{3,4}}', '{sad,"very happy"}', ARRAY[ROW('Main "St"', 5, '(1,2)'), NULL]::address[],
   '{"2024-01-01 00:00+00",infinity}', '{"\\x00ff",NULL}', '{NaN,Infinity,0.1}', '{2024-01-01,-infinity}', ROW('x,y', NULL, '(0.5,-1)'), 'a=>1, "b c"=>NULL',
   '[1,5)', '(,7]', '[1.5,2.5]', '[2024-01-01,)', '[2024-01-01 00:00+00,infinity]', '[2024-01-01,2024-02-01)', '[0.1,0.2)', '{[1,3),[5,7)}', '{[2024-01-01,2024-01-05)}',
   '(1,2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,0),(1,1))', '<(0,0),5>'),
  (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', ROW(NULL, NULL, NULL), '', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', '{}', '{}',
   '(0,0)', NULL, NULL, NULL, '((0,0))', NULL, '<(0,0),0>');
INSERT INTO nested (id, words) VALUES (3, NULL);

CREATE TABLE parents (
  id serial PRIMARY KEY, kind mood NOT NULL, name varchar(40) COLLATE nocase NOT NULL UNIQUE, short varchar(40) COLLATE noaccent, CONSTRAINT pair UNIQUE (kind, id), UNIQUE (short)
);
INSERT INTO parents VALUES (0, 'sad', 'nought', 'a'), (5, 'ok', 'five', 'b'), (70, 'sad', 'seventy', NULL);
SELECT setval('parents_id_seq', 77, false);
CREATE TABLE children (
  id int PRIMARY KEY, parent int, pkind mood, boss int REFERENCES children ON DELETE RESTRICT DEFERRABLE,
  price numeric(8, 2) NOT NULL, amount int NOT NULL DEFAULT 1,
  total numeric(12, 2) GENERATED ALWAYS AS (price * amount) STORED, label text GENERATED ALWAYS AS ('#' || amount || ' x') STORED,
  later date DEFAULT CURRENT_DATE + 1, note text, note2 text,
  CONSTRAINT positive CHECK (price >= 0 AND amount <> 0), CHECK (amount < 1000), CONSTRAINT not_too_new CHECK (id < 1000) NOT VALID,
  CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES parents ON DELETE CASCADE ON UPDATE SET NULL,
  CONSTRAINT to_pair FOREIGN KEY (pkind, parent) REFERENCES parents (kind, id) MATCH FULL DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT notes UNIQUE NULLS NOT DISTINCT (note), CONSTRAINT notes2 UNIQUE (note2) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX by_total ON children (total DESC NULLS LAST, id);
CREATE UNIQUE INDEX by_lower ON children (lower(note), amount) INCLUDE (price) WHERE amount > 0;
CREATE INDEX by_label ON children USING hash (label);
CREATE INDEX by_price ON children USING brin (price);
CREATE INDEX by_note ON children (note2 COLLATE "C" text_pattern_ops);
INSERT INTO children (id, parent, pkind, boss, price, amount, later, note) VALUES (1, 5, 'ok', NULL, 2.50, 3, '2024-01-01', 'n'), (2, NULL, NULL, 1, 0, -1, NULL, NULL);

CREATE TABLE "Weird Schema"."Select ""From"" Where" ("Group" int PRIMARY KEY, "or der" text DEFAULT 'a''b"c\d', "ünï" text, "percent % sign" int, "colon:name" int, "a.b" int, "tab	tab" int);
INSERT INTO "Weird Schema"."Select ""From"" Where" VALUES (1, DEFAULT, 'ü', 5, 6, 7, 8), (2, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE "order" ("select" int, "from" text, "Case" int, "case" int);
INSERT INTO "order" VALUES (1, 'x', 2, 3), (1, 'x', 2, 3), (NULL, NULL, NULL, NULL);
CREATE TABLE "Order" (id int PRIMARY KEY);
CREATE TABLE shop."order" (id int PRIMARY KEY, "from" int);
INSERT INTO shop."order" VALUES (7, 8);
COMMENT ON TABLE shop."order" IS 'Who buys; "quoted" and ''apostrophes'' | pipes';
COMMENT ON COLUMN "Weird Schema"."Select ""From"" Where"."ünï" IS 'Kommentar äöü 🎈';

CREATE TABLE events (at timestamptz NOT NULL, kind text NOT NULL, id bigint GENERATED BY DEFAULT AS IDENTITY, PRIMARY KEY (at, kind, id)) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (kind);
CREATE TABLE events_2024_a PARTITION OF events_2024 FOR VALUES IN ('a');
CREATE TABLE events_2024_rest PARTITION OF events_2024 DEFAULT;
CREATE TABLE events_default PARTITION OF events DEFAULT;
ALTER TABLE events_default ADD CONSTRAINT own_check CHECK (kind <> 'never');
CREATE INDEX events_kind ON events (kind);
CREATE UNIQUE INDEX events_own ON events_2024_a (id);
INSERT INTO events (at, kind) VALUES ('2024-05-01 00:00+00', 'a'), ('2024-05-01 00:00+00', 'b'), ('1999-05-01 00:00+00', 'c');
CREATE TABLE event_notes (id int PRIMARY KEY, at timestamptz, kind text, event bigint, FOREIGN KEY (at, kind, event) REFERENCES events);
CREATE TABLE hashed (id int PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO hashed SELECT generate_series(1, 20);

CREATE TABLE animal (id int PRIMARY KEY, name text CHECK (name <> ''));
CREATE TABLE dog (bark int, PRIMARY KEY (id)) INHERITS (animal);
INSERT INTO animal VALUES (1, 'cat');
INSERT INTO dog VALUES (2, 'rex', 3);
CREATE UNLOGGED TABLE scratch (a int, b text);
CREATE TABLE no_key (a int, b text);
INSERT INTO no_key VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
CREATE TABLE no_columns ();
CREATE TABLE booking (room int, during tstzrange, EXCLUDE USING gist (room WITH =, during WITH &&));
INSERT INTO booking VALUES (1, '[2024-01-01 00:00+00,2024-01-02 00:00+00)');

CREATE SEQUENCE shop.tickets AS bigint START 100 INCREMENT 10 CYCLE MAXVALUE 99999990;
SELECT nextval('shop.tickets'), nextval('shop.tickets');
CREATE SEQUENCE untouched START 5;
CREATE TABLE numbered (id bigint PRIMARY KEY DEFAULT nextval('untouched'));
CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'localhost', dbname 'nowhere');
CREATE FOREIGN TABLE remote_rows (id int NOT NULL, what text) SERVER other OPTIONS (table_name 'rows');

CREATE VIEW cheap AS SELECT c.id, c.price, p.name AS parent_name FROM children c LEFT JOIN parents p ON p.id = c.parent WHERE c.price < 10;
CREATE VIEW totals (kind, amount) AS SELECT kind, count(*) FROM parents GROUP BY kind;
CREATE VIEW guarded AS SELECT id, amount FROM children WHERE amount > 0 WITH LOCAL CHECK OPTION;
CREATE VIEW "Weird Schema"."a view" ("x y") AS SELECT "Group" FROM "Weird Schema"."Select ""From"" Where";
CREATE RECURSIVE VIEW countdown (n) AS VALUES (10) UNION ALL SELECT n - 1 FROM countdown WHERE n > 0;
CREATE VIEW far_off AS SELECT id, to_char(d, 'Day') AS day FROM moments;
CREATE MATERIALIZED VIEW shop.sales AS SELECT parent, count(*) AS children FROM children GROUP BY parent;
CREATE UNIQUE INDEX sales_parent ON shop.sales (parent);
CREATE MATERIALIZED VIEW unfilled AS SELECT id FROM parents WITH NO DATA;
COMMENT ON VIEW cheap IS 'a comment on a view';

CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.amount := NEW.amount + 0; -- a comment with 'quotes' and WHEN (
  RETURN NEW;
END $$;
CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO no_key VALUES (OLD.id, 'gone'); RETURN OLD; END $$;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.price > 100 THEN RAISE EXCEPTION 'too dear'; END IF; RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE OF price, amount ON children FOR EACH ROW WHEN (NEW.price <> 77) EXECUTE FUNCTION stamp();
CREATE TRIGGER second BEFORE UPDATE ON children FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER gone AFTER DELETE ON parents FOR EACH ROW EXECUTE FUNCTION gone();
CREATE TRIGGER emptied AFTER TRUNCATE ON children FOR EACH STATEMENT EXECUTE FUNCTION gone();
CREATE TRIGGER through_view INSTEAD OF DELETE ON guarded FOR EACH ROW EXECUTE FUNCTION gone();
CREATE TRIGGER on_events AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE events DISABLE TRIGGER on_events;
CREATE CONSTRAINT TRIGGER late AFTER DELETE ON children DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gone();
CREATE TRIGGER of_partition AFTER DELETE ON events_default FOR EACH ROW EXECUTE FUNCTION gone();
CREATE FUNCTION add(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE FUNCTION add(a text, b text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT a || b';
CREATE PROCEDURE shop.tidy(days int) LANGUAGE plpgsql AS $$ BEGIN DELETE FROM events WHERE at < now() - make_interval(days => days); END $$;
CREATE AGGREGATE product(float8) (SFUNC = float8mul, STYPE = float8, INITCOND = '1');
CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = add);
CREATE CAST (mood AS int) WITH INOUT AS ASSIGNMENT;
CREATE OPERATOR FAMILY odd_family USING btree;
CREATE TEXT SEARCH CONFIGURATION own_search (COPY = simple);
CREATE TEXT SEARCH DICTIONARY own_words (TEMPLATE = simple);
CREATE CONVERSION own_conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE STATISTICS child_statistics ON price, amount FROM children;
CREATE PUBLICATION changes FOR ALL TABLES;
CREATE TABLE secrets (id int PRIMARY KEY, owner text);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON secrets USING (owner = current_user);
CREATE RULE no_delete AS ON DELETE TO no_key DO INSTEAD NOTHING;
CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION on_ddl();
COMMENT ON INDEX by_total IS 'a comment on an index';
COMMENT ON FUNCTION add(int, int) IS 'a comment on a function';
SELECT lo_from_bytea(0, '\x00ff');
