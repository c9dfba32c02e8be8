CREATE TYPE job_status AS ENUM ('received', 'waiting_for_parts', 'in_work', 'done', 'collected');

CREATE TABLE customers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    email varchar(120) NOT NULL UNIQUE,
    phones text[] NOT NULL DEFAULT '{}',
    prefers jsonb NOT NULL DEFAULT '{}',
    active boolean NOT NULL DEFAULT true,
    since date NOT NULL
);

CREATE TABLE parts (
    id serial PRIMARY KEY,
    sku varchar(20) NOT NULL UNIQUE,
    title text NOT NULL,
    price numeric(10, 2) NOT NULL CHECK (price >= 0),
    stock integer NOT NULL CHECK (stock >= 0),
    fits text[] NOT NULL DEFAULT '{}',
    specs jsonb
);

CREATE TABLE jobs (
    id bigserial PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES customers (id),
    device text NOT NULL,
    status job_status NOT NULL DEFAULT 'received',
    received_at timestamptz NOT NULL DEFAULT now(),
    due date,
    estimate numeric(10, 2),
    worked interval NOT NULL,
    notes text
);

CREATE TABLE job_parts (
    job_id bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    part_id integer NOT NULL REFERENCES parts (id),
    amount integer NOT NULL CHECK (amount > 0),
    price numeric(10, 2) NOT NULL,
    PRIMARY KEY (job_id, part_id)
);

CREATE TABLE job_events (
    id bigserial PRIMARY KEY,
    job_id bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    kind text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);

CREATE INDEX jobs_by_status ON jobs (status) WHERE status <> 'collected';
CREATE INDEX parts_by_fits ON parts USING gin (fits);

INSERT INTO customers VALUES
    ('3f0b5f2e-0000-4000-8000-000000000001', 'Åsa Berg', 'asa@example.org', '{+46-1,+46-2}', '{"language": "sv", "contact": {"by": "mail", "hours": [9, 17]}}', true, '2019-05-01'),
    ('3f0b5f2e-0000-4000-8000-000000000002', 'bob Stone', 'bob@example.org', '{}', '{"language": "en"}', true, '2021-11-30'),
    ('3f0b5f2e-0000-4000-8000-000000000003', 'Carla Ruiz', 'carla@example.org', '{+34-9}', '{}', false, '2023-02-28');

INSERT INTO parts (sku, title, price, stock, fits, specs) VALUES
    ('SCR-1', 'Screen 10"', 89.90, 4, '{tablet,phone}', '{"inch": 10, "touch": true}'),
    ('BAT-2', 'Battery', 24.50, 10, '{phone}', '{"mah": 3000}'),
    ('CAB-3', 'cable', 5.00, 0, '{}', NULL),
    ('KEY-4', 'Keyboard_US', 39.99, 2, '{laptop}', '{"layout": "us", "keys": 104}');

INSERT INTO jobs (customer_id, device, status, received_at, due, estimate, worked, notes) VALUES
    ('3f0b5f2e-0000-4000-8000-000000000001', 'Tablet X', 'in_work', '2024-03-01 09:30:00+01', '2024-03-10', 120.00, '01:30:00', NULL),
    ('3f0b5f2e-0000-4000-8000-000000000002', 'Phone 7', 'received', '2024-03-02 12:00:00.125+00', NULL, NULL, '0', 'drops calls'),
    ('3f0b5f2e-0000-4000-8000-000000000001', 'Laptop', 'done', '2024-01-15 08:00:00+00', '2024-01-20', 80.50, '02:15:30', 'clean the fan');

INSERT INTO job_parts VALUES (1, 1, 1, 89.90), (3, 4, 1, 39.99), (3, 3, 2, 5.00);
INSERT INTO job_events (job_id, kind, detail) VALUES
    (1, 'received', '{}'), (1, 'opened', '{"screws": 8}'), (3, 'received', '{}');
