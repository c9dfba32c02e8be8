CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT, author TEXT NOT NULL, body TEXT NOT NULL,
    likes INTEGER NOT NULL DEFAULT 0, open BOOLEAN NOT NULL DEFAULT 1, UNIQUE (author, body)
);
INSERT INTO notices (author, body, likes, open) VALUES ('asa', 'A bicycle, green', 3, 1), ('bo', 'Piano lessons', 0, 0), ('asa', 'Found: one glove', 1, 1);
