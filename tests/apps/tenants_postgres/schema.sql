CREATE TABLE plans (
  code varchar(10) PRIMARY KEY,
  title text NOT NULL,
  seats integer NOT NULL
);
CREATE TABLE tenants (
  slug varchar(30) PRIMARY KEY,
  name text NOT NULL,
  plan varchar(10) NOT NULL REFERENCES plans (code)
);
CREATE TABLE projects (
  id serial PRIMARY KEY,
  tenant varchar(30) NOT NULL REFERENCES tenants (slug),
  title text NOT NULL,
  budget numeric(10, 2),
  opened timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant, title)
);
CREATE TABLE tasks (
  id bigserial PRIMARY KEY,
  project integer NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  title text NOT NULL,
  done boolean NOT NULL DEFAULT false,
  minutes integer NOT NULL DEFAULT 0 CHECK (minutes >= 0)
);
CREATE TABLE usage_days (
  tenant varchar(30) NOT NULL REFERENCES tenants (slug),
  day date NOT NULL,
  tasks integer NOT NULL,
  PRIMARY KEY (tenant, day)
);
CREATE VIEW open_work AS
  SELECT p.tenant, p.id AS project, count(t.id) AS tasks, coalesce(sum(t.minutes), 0) AS minutes
  FROM projects p LEFT JOIN tasks t ON t.project = p.id AND NOT t.done GROUP BY p.tenant, p.id;

INSERT INTO plans VALUES ('free', 'Free of charge', 3), ('team', 'Team', 20);
INSERT INTO tenants
  SELECT 'firm-' || n, 'Firm ' || n, CASE WHEN n % 3 = 0 THEN 'team' ELSE 'free' END
  FROM generate_series(1, 9) n;
INSERT INTO projects (tenant, title, budget, opened)
  SELECT 'firm-' || 1 + n % 9, 'Project ' || n, n * 10.5, '2026-01-01 08:00+00'::timestamptz + n * interval '1 day'
  FROM generate_series(1, 27) n;
INSERT INTO tasks (project, title, done, minutes)
  SELECT 1 + n % 27, 'Task ' || n, n % 4 = 0, n % 90 FROM generate_series(1, 270) n;
