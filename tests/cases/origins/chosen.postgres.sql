-- Everything that edgelift.toml can choose, beside this file: casts, renames, exclusions, rewrites.
CREATE SCHEMA audit;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, secret text, joined timestamptz DEFAULT now(), big numeric,
    CONSTRAINT positive CHECK (id > 0));
CREATE TABLE profiles (user_id bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE, mood mood);
CREATE TABLE posts (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, author bigint REFERENCES users (id), reviewer bigint DEFAULT NULL,
    price numeric(10,2), at timestamp, "Title" text, size integer GENERATED ALWAYS AS (length("Title")) STORED);
CREATE INDEX posts_author ON posts (author, at DESC);
CREATE TABLE audit.log (at date);
CREATE TABLE legacy (id integer);
CREATE VIEW authors AS SELECT u.id, u.name, count(p.id) AS posts FROM users u JOIN posts p ON p.author = u.id GROUP BY u.id, u.name;
CREATE VIEW late AS SELECT id FROM users WHERE id > 100;
INSERT INTO users (name, big) VALUES ('a', 1234567890123456.789), ('b', 1);
