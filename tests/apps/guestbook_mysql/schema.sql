CREATE TABLE entries (
    id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
    author varchar(80) NOT NULL,
    body text NOT NULL,
    mood enum('calm', 'glad', 'cross') NOT NULL DEFAULT 'calm',
    rating decimal(3, 1) NOT NULL,
    written timestamp NOT NULL DEFAULT current_timestamp
);
CREATE TABLE replies (
    id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
    entry_id int NOT NULL,
    body varchar(40) NOT NULL,
    FOREIGN KEY (entry_id) REFERENCES entries (id) ON DELETE CASCADE
);
CREATE TABLE visits (page varchar(20) NOT NULL PRIMARY KEY, number int NOT NULL);
INSERT INTO visits VALUES ('all', 41);
INSERT INTO entries (author, body, mood, rating, written)
    VALUES ('Zoë', 'Schöne Seite 🙂', 'glad', 4.5, '2026-01-02 03:04:05');
INSERT INTO replies (entry_id, body) VALUES (1, 'thanks');
