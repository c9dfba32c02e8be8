-- A rental shop: chains of foreign keys, triggers that stamp rows, views over many tables.
CREATE TABLE country (country_id SMALLINT NOT NULL PRIMARY KEY, country VARCHAR(50) NOT NULL, last_update TIMESTAMP);
CREATE TABLE city (
  city_id INT NOT NULL PRIMARY KEY, city VARCHAR(50) NOT NULL, country_id SMALLINT NOT NULL, last_update TIMESTAMP NOT NULL,
  CONSTRAINT fk_city_country FOREIGN KEY (country_id) REFERENCES country (country_id) ON DELETE NO ACTION ON UPDATE CASCADE);
CREATE INDEX idx_fk_country_id ON city (country_id);
CREATE TABLE language (language_id SMALLINT NOT NULL PRIMARY KEY, name CHAR(20) NOT NULL);
CREATE TABLE film (
  film_id INTEGER PRIMARY KEY AUTOINCREMENT, title VARCHAR(255) NOT NULL, description BLOB SUB_TYPE TEXT DEFAULT NULL,
  release_year VARCHAR(4) DEFAULT NULL, language_id SMALLINT NOT NULL, original_language_id SMALLINT DEFAULT NULL,
  rental_rate DECIMAL(4,2) DEFAULT 4.99 NOT NULL, length SMALLINT, rating VARCHAR(10) DEFAULT 'G',
  special_features VARCHAR(100),
  CONSTRAINT CHECK_features CHECK (special_features IS NULL OR special_features LIKE '%Trailers%' OR special_features LIKE '%Scenes%'),
  CONSTRAINT CHECK_rating CHECK (rating IN ('G', 'PG', 'R')),
  CONSTRAINT fk_film_language FOREIGN KEY (language_id) REFERENCES language (language_id),
  CONSTRAINT fk_film_original FOREIGN KEY (original_language_id) REFERENCES language (language_id));
CREATE TABLE actor (actor_id INTEGER PRIMARY KEY, first_name VARCHAR(45) NOT NULL, last_name VARCHAR(45) NOT NULL);
CREATE INDEX idx_actor_last_name ON actor (last_name COLLATE NOCASE DESC);
CREATE TABLE film_actor (
  actor_id INT NOT NULL REFERENCES actor (actor_id), film_id INT NOT NULL REFERENCES film (film_id) ON DELETE CASCADE,
  last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (actor_id, film_id));
CREATE TABLE customer (
  customer_id INTEGER PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL, active CHAR(1) DEFAULT 'Y' NOT NULL,
  city_id INT REFERENCES city DEFERRABLE INITIALLY DEFERRED, create_date TIMESTAMP NOT NULL);
CREATE UNIQUE INDEX one_name ON customer (lower(first_name), lower(last_name)) WHERE active = 'Y';
CREATE TABLE rental (
  rental_id INTEGER PRIMARY KEY, rental_date TIMESTAMP NOT NULL, customer_id INT NOT NULL REFERENCES customer,
  film_id INT NOT NULL REFERENCES film (film_id), return_date TIMESTAMP, amount NUMERIC,
  days AS (julianday(return_date) - julianday(rental_date)) VIRTUAL, UNIQUE (rental_date, film_id, customer_id));
CREATE TRIGGER city_ai AFTER INSERT ON city BEGIN UPDATE city SET last_update = DATETIME('NOW') WHERE rowid = new.rowid; END;
CREATE TRIGGER rental_au AFTER UPDATE OF return_date ON rental WHEN new.return_date IS NOT NULL
  BEGIN UPDATE rental SET amount = amount + 0 WHERE rental_id = new.rental_id; END;
CREATE VIEW film_list AS
  SELECT film.film_id AS FID, film.title AS title, language.name AS language, film.rental_rate AS price,
    max(actor.first_name || ' ' || actor.last_name) AS actor
  FROM film JOIN language ON film.language_id = language.language_id LEFT JOIN film_actor ON film.film_id = film_actor.film_id
  LEFT JOIN actor ON film_actor.actor_id = actor.actor_id GROUP BY film.film_id;
CREATE VIEW sales AS
  SELECT c.last_name || ', ' || c.first_name AS who, ct.city || ',' || cy.country AS place, sum(r.amount) AS total
  FROM rental AS r, customer AS c, city AS ct, country AS cy
  WHERE r.customer_id = c.customer_id AND c.city_id = ct.city_id AND ct.country_id = cy.country_id GROUP BY 1, 2;
CREATE VIEW top_sales AS SELECT who, total FROM sales WHERE total > (SELECT avg(total) FROM sales);
INSERT INTO country VALUES (1, 'Österreich', '2006-02-15 04:44:00'), (2, 'México', NULL);
INSERT INTO city SELECT value, 'city ' || value, value % 2 + 1, '2006-02-15' FROM json_each('[1,2,3,4,5,6,7]');
INSERT INTO language VALUES (1, 'English'), (2, '日本語');
INSERT INTO actor SELECT value, 'F' || value, 'L' || value FROM json_each('[1,2,3,4,5,6,7,8,9]');
WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 200)
  INSERT INTO film (title, description, language_id, rental_rate, length, rating, special_features)
  SELECT 'FILM ' || n, CASE WHEN n % 3 THEN x'00' || n END, n % 2 + 1, n / 100.0, n, substr('GR', n % 2 + 1, 1),
    CASE WHEN n % 4 = 0 THEN 'Trailers' END FROM s;
INSERT INTO film_actor (actor_id, film_id) SELECT actor_id, film_id FROM actor, film WHERE (film_id + actor_id) % 5 = 0;
WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 300)
  INSERT INTO customer SELECT n, 'f' || n, 'l' || n, CASE WHEN n % 9 THEN 'Y' ELSE 'N' END, n % 7 + 1, '2006-02-14 22:04:36' FROM s;
WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 900)
  INSERT INTO rental (rental_id, rental_date, customer_id, film_id, return_date, amount)
  SELECT n, datetime('2005-05-24', n || ' hours'), n % 300 + 1, n % 200 + 1,
    CASE WHEN n % 10 THEN datetime('2005-05-26', n || ' hours') END, n % 11 + 0.99 FROM s;
DELETE FROM film WHERE film_id = 200 AND film_id NOT IN (SELECT film_id FROM rental);
