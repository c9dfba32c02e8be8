-- A rental shop in the style of Sakila: enums, SETs, auto increments, triggers, views, spatial.
CREATE TABLE language (
  language_id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT,
  name CHAR(20) NOT NULL COMMENT 'in English',
  last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (language_id)
) ENGINE=InnoDB COMMENT='spoken on the disc';
CREATE TABLE film (
  film_id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  title VARCHAR(128) NOT NULL,
  description TEXT DEFAULT NULL,
  release_year YEAR DEFAULT NULL,
  language_id TINYINT UNSIGNED NOT NULL,
  rental_duration TINYINT UNSIGNED NOT NULL DEFAULT 3,
  rental_rate DECIMAL(4,2) NOT NULL DEFAULT 4.99,
  length SMALLINT UNSIGNED DEFAULT NULL,
  rating ENUM('G','PG','PG-13','R','NC-17') DEFAULT 'G',
  special_features SET('Trailers','Commentaries','Deleted Scenes','Behind the Scenes') DEFAULT NULL,
  label VARCHAR(140) GENERATED ALWAYS AS (concat(`title`, '!')) STORED,
  double_rate DECIMAL(6,2) AS (`rental_rate` * 2) VIRTUAL,
  extra JSON DEFAULT NULL,
  last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (film_id),
  KEY idx_title (title(10)),
  KEY idx_fk_language_id (language_id),
  UNIQUE KEY uq_label (label),
  CONSTRAINT film_rate CHECK (rental_rate > 0 and rental_rate < 1000),
  CONSTRAINT fk_film_language FOREIGN KEY (language_id) REFERENCES language (language_id) ON DELETE RESTRICT ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE film_text (
  film_id SMALLINT NOT NULL PRIMARY KEY,
  title VARCHAR(255) NOT NULL,
  description TEXT,
  FULLTEXT KEY idx_title_description (title, description)
) ENGINE=InnoDB;
CREATE TABLE customer (
  customer_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(80) COLLATE utf8mb4_bin,
  code VARCHAR(20) NOT NULL,
  active BOOLEAN NOT NULL DEFAULT TRUE,
  balance DECIMAL(12,2) NOT NULL DEFAULT 0.00,
  ratio FLOAT, weight DOUBLE,
  flags BIT(5) DEFAULT b'00101',
  born DATE, wakes TIME, created DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), seen TIMESTAMP NULL,
  photo BLOB, spot POINT,
  UNIQUE KEY uq_code (code)
) ENGINE=InnoDB AUTO_INCREMENT=5000;
CREATE TABLE rental (
  customer_id BIGINT UNSIGNED NOT NULL,
  film_id SMALLINT UNSIGNED NOT NULL,
  rented DATETIME NOT NULL,
  PRIMARY KEY (customer_id, film_id, rented),
  FOREIGN KEY (customer_id) REFERENCES customer (customer_id) ON DELETE CASCADE,
  FOREIGN KEY (film_id) REFERENCES film (film_id)
);
CREATE TABLE `order` (`key` INT PRIMARY KEY, `select me` TEXT, `Group` VARCHAR(10) DEFAULT 'it''s');
CREATE TABLE log (at DATETIME(3) NOT NULL, what VARCHAR(40)) PARTITION BY RANGE COLUMNS (at) (
  PARTITION early VALUES LESS THAN ('2021-01-01'), PARTITION late VALUES LESS THAN (MAXVALUE));
DELIMITER ;;
CREATE TRIGGER ins_film AFTER INSERT ON film FOR EACH ROW BEGIN
    INSERT INTO film_text (film_id, title, description) VALUES (new.film_id, new.title, new.description);
END;;
CREATE TRIGGER upd_film AFTER UPDATE ON film FOR EACH ROW BEGIN
    IF (old.title != new.title) OR (old.description != new.description) OR (old.film_id != new.film_id)
    THEN
        UPDATE film_text SET title=new.title, description=new.description, film_id=new.film_id WHERE film_id=old.film_id;
    END IF;
END;;
CREATE TRIGGER del_film AFTER DELETE ON film FOR EACH ROW BEGIN
    DELETE FROM film_text WHERE film_id = old.film_id;
END;;
CREATE TRIGGER log_date BEFORE INSERT ON log FOR EACH ROW SET NEW.at = NOW();;
CREATE PROCEDURE film_in_stock(IN p_film_id INT) READS SQL DATA BEGIN SELECT 1; END;;
DELIMITER ;
CREATE VIEW film_list AS
  SELECT f.film_id AS fid, f.title AS title, l.name AS language, f.rental_rate AS price, f.rating AS rating
  FROM film f JOIN language l ON l.language_id = f.language_id WHERE f.length > 60;
INSERT INTO language (name) SELECT concat('Language ', seq) FROM seq_1_to_6;
INSERT INTO film (title, description, release_year, language_id, length, rental_rate, rating, special_features, extra)
  SELECT concat('Film ', seq), CASE WHEN seq % 7 = 0 THEN NULL WHEN seq % 5 = 0 THEN '' ELSE concat('about ', seq) END,
    1950 + seq % 70, 1 + seq % 6, 40 + seq % 140, 0.99 + seq % 5, 1 + seq % 5, seq % 16, json_object('n', seq) FROM seq_1_to_1000;
INSERT INTO customer (email, code, active, balance, ratio, weight, born, wakes, created, seen, photo, spot)
  SELECT concat('User', seq, '@Example.org'), concat('C', seq), seq % 3 = 0, seq * 1.25, seq / 7, seq / 7, '1970-01-01' + INTERVAL seq DAY,
    SEC_TO_TIME(seq), '2022-01-01 00:00:00.123456' + INTERVAL seq HOUR, '2022-01-01 00:00:00' + INTERVAL seq HOUR, UNHEX(MD5(seq)), POINT(seq, -seq)
  FROM seq_1_to_600;
INSERT INTO rental SELECT 5000 + seq % 600, 1 + seq % 997, '2022-01-01' + INTERVAL seq MINUTE FROM seq_1_to_3000;
INSERT INTO `order` VALUES (1, 'a', DEFAULT), (-5, NULL, ''), (9223372, 'ünïcode ✓', 'x');
INSERT INTO log (what) SELECT concat('what ', seq % 10) FROM seq_1_to_500;
UPDATE log SET at = '2021-05-05 10:11:12.345';
