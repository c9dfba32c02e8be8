-- A lending library, the size and shape of the well-known sample databases: keys of all kinds, a cycle
-- of foreign keys, money, pictures, full text, views over views, triggers, and columns that fill themselves.
SET NAMES utf8mb4;
SET time_zone = '+00:00';
CREATE TABLE countries (code CHAR(2) CHARACTER SET ascii NOT NULL PRIMARY KEY, name VARCHAR(60) NOT NULL,
  updated TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP);
CREATE TABLE towns (id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT, name VARCHAR(50) NOT NULL, country CHAR(2) CHARACTER SET ascii NOT NULL,
  place POINT, PRIMARY KEY (id), KEY by_country (country),
  CONSTRAINT town_country FOREIGN KEY (country) REFERENCES countries (code) ON UPDATE CASCADE);
CREATE TABLE branches (id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, town SMALLINT UNSIGNED NOT NULL, head SMALLINT UNSIGNED,
  opens TIME NOT NULL DEFAULT '09:00:00', UNIQUE KEY one_head (head), CONSTRAINT branch_town FOREIGN KEY (town) REFERENCES towns (id));
CREATE TABLE staff (id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, branch TINYINT UNSIGNED NOT NULL, login VARCHAR(30) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  picture MEDIUMBLOB, active BOOLEAN NOT NULL DEFAULT TRUE, settings JSON,
  CONSTRAINT staff_branch FOREIGN KEY (branch) REFERENCES branches (id));
ALTER TABLE branches ADD CONSTRAINT branch_head FOREIGN KEY (head) REFERENCES staff (id) ON DELETE SET NULL;
CREATE TABLE readers (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, card UUID NOT NULL, name VARCHAR(80) COLLATE utf8mb4_bin NOT NULL, born DATE, joined DATETIME(6) NOT NULL,
  fees DECIMAL(9,2) NOT NULL DEFAULT 0.00, UNIQUE KEY by_card (card), KEY by_name (name(12)), CONSTRAINT no_credit CHECK (fees >= 0));
CREATE TABLE books (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, title VARCHAR(120) COLLATE utf8mb4_bin NOT NULL, about TEXT COLLATE utf8mb4_bin, year YEAR, language ENUM('de','en','other') NOT NULL DEFAULT 'other',
  marks SET('reference','large print','rare'), pages SMALLINT UNSIGNED, price DECIMAL(6,2), rating FLOAT, weight DOUBLE,
  price_cents INT AS (price * 100) STORED, FULLTEXT KEY words (title, about)) AUTO_INCREMENT=5000;
CREATE TABLE authors (book INT UNSIGNED NOT NULL, place TINYINT UNSIGNED NOT NULL, name VARCHAR(80) COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (book, place), CONSTRAINT author_book FOREIGN KEY (book) REFERENCES books (id) ON DELETE CASCADE);
CREATE TABLE loans (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, book INT UNSIGNED NOT NULL, reader INT UNSIGNED NOT NULL, branch TINYINT UNSIGNED NOT NULL,
  lent TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), back DATETIME, UNIQUE KEY once (book, reader, lent), KEY open_loans (back, reader),
  CONSTRAINT loan_book FOREIGN KEY (book) REFERENCES books (id), CONSTRAINT loan_reader FOREIGN KEY (reader) REFERENCES readers (id),
  CONSTRAINT loan_branch FOREIGN KEY (branch) REFERENCES branches (id));
CREATE TABLE visits (branch TINYINT UNSIGNED, day DATE, n INT);
INSERT INTO countries (code, name) VALUES ('DE', 'Deutschland'), ('GB', 'United Kingdom'), ('FR', 'France');
INSERT INTO towns (name, country, place) SELECT CONCAT('Town ', seq), ELT(1 + seq % 3, 'DE', 'GB', 'FR'), IF(seq % 5, POINT(seq, -seq / 7), NULL) FROM seq_1_to_60;
INSERT INTO branches (town, opens) SELECT seq * 7, MAKETIME(8 + seq, 30, 0) FROM seq_1_to_8;
INSERT INTO staff (branch, login, picture, active, settings) SELECT 1 + seq % 8, CONCAT('user', seq), IF(seq % 4, NULL, REPEAT(UNHEX(LPAD(HEX(seq), 2, '0')), 999)), seq % 3, IF(seq % 2, JSON_OBJECT('n', seq, 'ü', 1.5), NULL) FROM seq_1_to_40;
UPDATE branches SET head = id + 7;
INSERT INTO readers (card, name, born, joined, fees) SELECT INSERT(INSERT('00000000-0000-4000-8000-000000000000', 1, 8, LPAD(HEX(seq * 77777), 8, '0')), 25, 12, LPAD(HEX(seq), 12, '0')), CONCAT('Reader ', seq, IF(seq % 3, '', ' é漢🙂')),
  IF(seq % 9, DATE'1930-01-01' + INTERVAL seq * 11 DAY, NULL), TIMESTAMP'2001-02-03 04:05:06.000007' + INTERVAL seq * 9876543 MICROSECOND, (seq % 300) / 4 FROM seq_1_to_1500;
INSERT INTO books (title, about, year, language, marks, pages, price, rating, weight) SELECT CONCAT('Title ', seq), IF(seq % 7, REPEAT(CONCAT('word', seq, ' '), seq % 40), NULL), 1901 + seq % 120, 1 + seq % 3,
  IF(seq % 11, seq % 8, NULL), seq % 900, IF(seq % 13, seq / 100, NULL), seq / 3, seq * 0.1 FROM seq_1_to_2000;
INSERT INTO authors SELECT b.id, s.seq, CONCAT('Author ', (b.id * s.seq) % 500) FROM books b JOIN seq_1_to_3 s ON b.id % 3 >= s.seq - 1;
INSERT INTO loans (book, reader, branch, lent, back) SELECT 5000 + (seq * 37) % 2000, 1 + (seq * 53) % 1500, 1 + seq % 8, TIMESTAMP'2020-01-01 00:00:00.123' + INTERVAL seq * 977 SECOND, IF(seq % 4, TIMESTAMP'2020-03-01 00:00:00' + INTERVAL seq * 977 SECOND, NULL) FROM seq_1_to_6000;
INSERT INTO visits SELECT seq % 8, DATE'2024-01-01' + INTERVAL seq % 30 DAY, seq % 5 FROM seq_1_to_300;
CREATE VIEW open_now AS SELECT l.id, b.title, r.name AS reader, l.lent FROM loans l JOIN books b ON b.id = l.book JOIN readers r ON r.id = l.reader WHERE l.back IS NULL;
CREATE VIEW busy AS SELECT o.reader, COUNT(*) AS n FROM open_now o GROUP BY o.reader HAVING COUNT(*) > 1;
CREATE VIEW worth AS SELECT language, SUM(price) AS total, MAX(pages) AS most, COUNT(marks) AS marked FROM books GROUP BY language;
CREATE TRIGGER first_fee BEFORE INSERT ON readers FOR EACH ROW SET NEW.fees = NEW.fees + 1;
CREATE TRIGGER forget AFTER DELETE ON books FOR EACH ROW DELETE FROM visits WHERE n = OLD.pages;
