CREATE TABLE shows (
    id serial PRIMARY KEY,
    title text NOT NULL,
    starts timestamptz NOT NULL,
    price numeric(6, 2) NOT NULL,
    tags text[] NOT NULL DEFAULT '{}',
    info jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE seats (
    id bigserial PRIMARY KEY,
    show_id integer NOT NULL REFERENCES shows (id),
    number integer NOT NULL CHECK (number > 0),
    holder text,
    booked_at timestamptz,
    CONSTRAINT seats_number UNIQUE (show_id, number)
);
INSERT INTO shows (title, starts, price, tags, info) VALUES
    ('Hamlet', '2030-05-01 19:30:00+02', 25.00, '{drama,classic}', '{"hall": {"name": "A", "rows": 2}}'),
    ('Cats', '2030-06-01 15:00:00+00', 40.50, '{}', '{}');
INSERT INTO seats (show_id, number, holder, booked_at) VALUES
    (1, 1, 'Ada', '2024-01-01 10:00:00+00'), (1, 2, NULL, NULL), (1, 3, NULL, NULL), (2, 1, NULL, NULL);
