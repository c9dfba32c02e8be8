-- Tables of the statements in postgresql.txt; moved to SQLite before they are compared.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE people (
    id serial PRIMARY KEY,
    name text NOT NULL,
    email varchar(30) NOT NULL UNIQUE,
    age smallint,
    points bigint NOT NULL DEFAULT 0,
    salary numeric(10, 2),
    ratio double precision,
    active boolean NOT NULL DEFAULT true,
    born date,
    wakes time,
    seen timestamp,
    made timestamptz NOT NULL DEFAULT '2024-01-01 00:00:00+00',
    feels mood NOT NULL DEFAULT 'ok',
    token uuid,
    tags text[] NOT NULL DEFAULT '{}',
    numbers integer[],
    info jsonb,
    raw bytea,
    worked interval,
    code char(3),
    CONSTRAINT people_age_check CHECK (age >= 0)
);
CREATE TABLE teams (
    id bigint PRIMARY KEY,
    title text NOT NULL,
    lead_id integer REFERENCES people (id),
    budget numeric(12, 3)
);
CREATE TABLE members (
    team_id bigint NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    person_id integer NOT NULL REFERENCES people (id),
    role text,
    PRIMARY KEY (team_id, person_id)
);
CREATE UNIQUE INDEX members_role ON members (team_id, role);
INSERT INTO people (name, email, age, points, salary, ratio, active, born, wakes, seen, made, feels, token, tags, numbers, info, raw, worked, code) VALUES
    ('Ada', 'ada@x', 36, 9000000000, 1234.50, 0.5, true, '1980-02-29', '06:30', '2024-03-01 10:20:30.5', '2024-03-01 09:30:00+01', 'happy', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{red,"a b"}', '{1,2,3}', '{"a": {"b": [1, 2.5, null]}, "ok": true, "s": "é"}', '\x00ff10', '1 day 02:03:04.5', 'ab'),
    ('bob', 'bob@x', NULL, 0, NULL, NULL, false, NULL, NULL, NULL, '2024-03-02 12:00:00+00', 'sad', NULL, '{}', NULL, NULL, NULL, NULL, NULL),
    ('Cy_50%', 'cy@x', 20, 5, 0.10, 1e100, true, '2000-12-31', '23:59:59.999999', '2024-12-31 23:59:59', '2024-06-01 00:00:00+00', 'ok', NULL, '{blue}', '{}', '[1, 2]', '\x', '-00:00:01', 'xyz');
INSERT INTO teams VALUES (1, 'Red', 1, 100.125), (2, 'Blue', NULL, NULL);
INSERT INTO members VALUES (1, 1, 'boss'), (1, 3, NULL), (2, 3, 'helper');
