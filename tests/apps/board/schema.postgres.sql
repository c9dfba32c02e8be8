CREATE TABLE notices (
    id serial PRIMARY KEY, author text NOT NULL, body text NOT NULL,
    likes integer NOT NULL DEFAULT 0, open boolean NOT NULL DEFAULT true, UNIQUE (author, body)
);
INSERT INTO notices (author, body, likes, open) VALUES ('asa', 'A bicycle, green', 3, true), ('bo', 'Piano lessons', 0, false), ('asa', 'Found: one glove', 1, true);
