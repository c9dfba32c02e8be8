CREATE TABLE products (
    id serial PRIMARY KEY,
    name text NOT NULL,
    price numeric(12, 2) NOT NULL,
    stock integer NOT NULL CHECK (stock >= 0),
    tags text[] NOT NULL DEFAULT '{}',
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE orders (
    id serial PRIMARY KEY,
    customer text NOT NULL,
    placed timestamptz NOT NULL
);
CREATE TABLE lines (
    id serial PRIMARY KEY,
    order_id integer NOT NULL REFERENCES orders (id),
    product_id integer NOT NULL REFERENCES products (id),
    amount integer NOT NULL CHECK (amount > 0)
);
INSERT INTO products (name, price, stock, tags, details) VALUES
    ('Kettle', 24.90, 7, '{kitchen,steel}', '{"litres": 1.5}'),
    ('Mug', 6.50, 40, '{kitchen}', '{"colours": ["red", "blue"]}'),
    ('Lamp', 89.00, 2, '{}', '{"watt": 9, "warm": true}');
INSERT INTO orders (customer, placed) VALUES ('Ada', '2026-03-01 10:00:00+01');
INSERT INTO lines (order_id, product_id, amount) VALUES (1, 2, 3);
