CREATE TYPE account_kind AS ENUM ('everyday', 'savings', 'closed');

CREATE TABLE owners (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    email varchar(60) NOT NULL UNIQUE,
    born date,
    phones text[] NOT NULL DEFAULT '{}',
    prefers jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE accounts (
    id serial PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES owners (id),
    kind account_kind NOT NULL DEFAULT 'everyday',
    number varchar(12) NOT NULL,
    balance numeric(12, 2) NOT NULL DEFAULT 0,
    open boolean NOT NULL DEFAULT true,
    opened_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_number_key UNIQUE (number),
    CONSTRAINT accounts_not_overdrawn CHECK (balance >= 0)
);

CREATE TABLE bookings (
    id bigserial PRIMARY KEY,
    account_id integer NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    amount numeric(12, 2) NOT NULL,
    note text,
    booked_at timestamp NOT NULL,
    tags text[] NOT NULL DEFAULT '{}'
);

CREATE INDEX bookings_by_account ON bookings (account_id, booked_at);

INSERT INTO owners (id, name, email, born, phones, prefers) VALUES
    ('11111111-0000-4000-8000-000000000001', 'Ada Berg', 'ada@example.org', '1980-02-29', '{+46-1,"+46 2"}', '{"language": "sv", "limits": {"day": 500}}'),
    ('11111111-0000-4000-8000-000000000002', 'bo Stone', 'bo@example.org', NULL, '{}', '{}');

INSERT INTO accounts (owner_id, kind, number, balance, opened_at) VALUES
    ('11111111-0000-4000-8000-000000000001', 'everyday', 'A-1', 250.00, '2024-01-02 10:00:00+01'),
    ('11111111-0000-4000-8000-000000000001', 'savings', 'A-2', 1000.50, '2024-01-03 09:30:00.25+00'),
    ('11111111-0000-4000-8000-000000000002', 'everyday', 'B-1', 0.75, '2024-02-01 00:00:00+00');

INSERT INTO bookings (account_id, amount, note, booked_at, tags) VALUES
    (1, 300, 'salary', '2024-01-31 08:00:00', '{income}'),
    (1, -50, NULL, '2024-02-02 17:45:10.5', '{food,"eat out"}'),
    (2, 1000.50, 'start', '2024-01-03 09:30:00', '{}'),
    (3, 0.75, '100% "interest"', '2024-02-29 23:59:59', '{income}');
