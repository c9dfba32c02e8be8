-- What has no counterpart in MySQL's way: folding collations, zero dates, unsigned, SETs, routines.
CREATE TABLE `Order` (id int PRIMARY KEY, `Value` int, `a``b` int, `select` varchar(20) DEFAULT 'it''s "x"');
CREATE TABLE texts (id int PRIMARY KEY, plain varchar(40), german varchar(40) COLLATE utf8mb4_german2_ci, exact varchar(40) COLLATE utf8mb4_bin,
    wide varchar(40) NOT NULL, UNIQUE KEY (plain), UNIQUE KEY prefix (wide(3)), KEY mixed (plain, id DESC));
CREATE TABLE numbers (id int PRIMARY KEY, u bigint unsigned, z int(5) zerofill, d decimal(40,10), f float, b bit(1) DEFAULT b'1', y year DEFAULT 2024,
    flags set('a','b') NOT NULL DEFAULT 'a,b', e enum('x','it''s') NOT NULL DEFAULT 'x', t tinyint(1) DEFAULT 0,
    half int GENERATED ALWAYS AS (`id` DIV 2) VIRTUAL, md varchar(32) GENERATED ALWAYS AS (md5(`id`)) STORED, CHECK (f > 0 OR f IS NULL));
CREATE TABLE times (id int PRIMARY KEY, d date, dt datetime DEFAULT '2020-01-01 00:00:00', ts timestamp NULL DEFAULT NULL ON UPDATE current_timestamp(), t time);
CREATE TABLE child (id int AUTO_INCREMENT PRIMARY KEY, parent int, two int, FOREIGN KEY (parent) REFERENCES texts (id) ON DELETE SET NULL, CONSTRAINT c UNIQUE (two, parent));
CREATE TABLE area (id int PRIMARY KEY, shape polygon NOT NULL, SPATIAL KEY (shape));
CREATE TABLE counted (a int, n int AUTO_INCREMENT, KEY (n), PRIMARY KEY (a, n));
CREATE VIEW good AS SELECT id, concat(plain, '-', exact) AS both_, if(id > 1, 'many', 'one') AS word, year(now()) AS y FROM texts WHERE plain LIKE 'a%';
CREATE VIEW bad AS SELECT date_format(dt, '%W') AS day, group_concat(DISTINCT id ORDER BY id SEPARATOR '; ') AS ids FROM times GROUP BY day;
SET sql_mode = '';
INSERT INTO texts VALUES (1, 'ascii', 'straße', 'É', 'abc'), (2, 'Größe', 'x', 'y', 'xyz');
INSERT INTO numbers (id, u, d, flags) VALUES (1, 18446744073709551615, 12345678901234567890.5, 'a');
INSERT INTO times VALUES (1, '0000-00-00', '2024-00-10 00:00:00', NULL, '-12:00:00'), (2, '2024-01-01', NULL, NULL, '838:59:59');
DELIMITER ;;
CREATE TRIGGER numbers_in BEFORE INSERT ON numbers FOR EACH ROW BEGIN
  DECLARE n int;
  SELECT count(*) INTO n FROM texts;
  SET NEW.u = n;
END;;
CREATE TRIGGER child_in BEFORE INSERT ON child FOR EACH ROW IF NEW.two IS NULL THEN SET NEW.two = 2; END IF;;
CREATE FUNCTION f(n int) RETURNS int DETERMINISTIC RETURN n * 2;;
CREATE EVENT clean ON SCHEDULE EVERY 1 DAY DO DELETE FROM times;;
DELIMITER ;
