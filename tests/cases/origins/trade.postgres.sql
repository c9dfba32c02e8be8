-- A trader's database of Northwind's class: text keys, pictures, real columns, territories, reports as views, a stock trigger.
CREATE TABLE categories (category_id smallint NOT NULL PRIMARY KEY, category_name character varying(15) NOT NULL, description text, picture bytea);
CREATE TABLE customers (customer_id character varying(5) NOT NULL CONSTRAINT pk_customers PRIMARY KEY, company_name character varying(40) NOT NULL, city character varying(15), fax character varying(24));
CREATE TABLE employees (employee_id smallint PRIMARY KEY, last_name character varying(20) NOT NULL, birth_date date, photo bytea, notes text, reports_to smallint REFERENCES employees);
CREATE TABLE region (region_id smallint PRIMARY KEY, region_description character varying(60) NOT NULL);
CREATE TABLE territories (territory_id character varying(20) PRIMARY KEY, territory_description character varying(60) NOT NULL, region_id smallint NOT NULL REFERENCES region);
CREATE TABLE employee_territories (employee_id smallint NOT NULL REFERENCES employees, territory_id character varying(20) NOT NULL REFERENCES territories, PRIMARY KEY (employee_id, territory_id));
CREATE TABLE suppliers (supplier_id smallint PRIMARY KEY, company_name character varying(40) NOT NULL, homepage text);
CREATE TABLE products (product_id smallint PRIMARY KEY, product_name character varying(40) NOT NULL, supplier_id smallint REFERENCES suppliers, category_id smallint REFERENCES categories,
    unit_price real CHECK (unit_price >= 0), units_in_stock smallint DEFAULT 0, discontinued integer NOT NULL DEFAULT 0);
CREATE TABLE shippers (shipper_id smallint PRIMARY KEY, company_name character varying(40) NOT NULL);
CREATE TABLE orders (order_id smallint PRIMARY KEY, customer_id character varying(5) REFERENCES customers, employee_id smallint REFERENCES employees, order_date date, shipped_date date, ship_via smallint REFERENCES shippers, freight real DEFAULT 0);
CREATE TABLE order_details (order_id smallint NOT NULL REFERENCES orders ON DELETE CASCADE, product_id smallint NOT NULL REFERENCES products, unit_price real NOT NULL, quantity smallint NOT NULL CHECK (quantity > 0),
    discount real NOT NULL DEFAULT 0 CHECK (discount BETWEEN 0 AND 1), PRIMARY KEY (order_id, product_id));
CREATE INDEX shipped ON orders (shipped_date) WHERE shipped_date IS NOT NULL;
CREATE UNIQUE INDEX supplier_names ON suppliers (lower(company_name));
CREATE VIEW current_products AS SELECT product_id, product_name FROM products WHERE discontinued = 0;
CREATE VIEW order_subtotals AS SELECT order_id, sum(quantity) AS pieces, count(DISTINCT product_id) AS products FROM order_details GROUP BY order_id;
CREATE VIEW late_orders AS SELECT o.order_id, c.company_name, CASE WHEN o.shipped_date IS NULL THEN 'open' ELSE 'sent' END AS state
    FROM orders o JOIN customers c USING (customer_id) WHERE o.shipped_date IS NULL OR o.shipped_date > o.order_date;
CREATE VIEW by_quarter AS SELECT extract(year FROM order_date)::int AS year, count(*) AS orders FROM orders WHERE order_date BETWEEN '1996-01-01' AND '1998-12-31' GROUP BY 1;
CREATE FUNCTION take_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE products SET units_in_stock = units_in_stock - NEW.quantity WHERE product_id = NEW.product_id;
  RETURN NEW;
END $$;
CREATE TRIGGER take_stock AFTER INSERT ON order_details FOR EACH ROW EXECUTE FUNCTION take_stock();
COMMENT ON INDEX supplier_names IS 'one spelling each';
INSERT INTO categories VALUES (1, 'Beverages', 'Soft drinks', '\x'), (2, 'Condiments', NULL, '\x00ff');
INSERT INTO customers VALUES ('ALFKI', 'Alfreds Futterkiste', 'Berlin', NULL), ('ANTON', 'Antonio Moreno Taquería', 'México D.F.', '1');
INSERT INTO employees VALUES (2, 'Fuller', '1952-02-19', '\x', 'x', NULL), (1, 'Davolio', '1948-12-08', '\x', 'y', 2);
INSERT INTO suppliers VALUES (1, 'Exotic Liquids', '#HOME#'), (2, 'Grüne Wiese', NULL);
INSERT INTO products VALUES (1, 'Chai', 1, 1, 18, 39, 0), (2, 'Chang', 1, 2, 19.1, 17, 1);
INSERT INTO shippers VALUES (3, 'Federal');
INSERT INTO orders VALUES (10248, 'ALFKI', 1, '1996-07-04', '1996-07-16', 3, 32.38), (10249, 'ANTON', 2, '1997-07-05', NULL, 3, 0.1);
INSERT INTO order_details VALUES (10248, 1, 14, 12, 0), (10248, 2, 9.8, 10, 0.15);
