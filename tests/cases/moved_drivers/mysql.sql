-- Tables of the statements in mysql.txt; moved to SQLite before they are compared.
CREATE TABLE people (
    id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name varchar(40) NOT NULL,
    email varchar(30) NOT NULL,
    age tinyint unsigned,
    points bigint NOT NULL DEFAULT 0,
    salary decimal(10, 2),
    ratio double,
    active tinyint(1) NOT NULL DEFAULT 1,
    born date,
    wakes time,
    seen datetime,
    made datetime(6) NOT NULL DEFAULT '2024-01-01 00:00:00.000000',
    feels enum('sad', 'ok', 'happy') NOT NULL DEFAULT 'ok',
    info longtext,
    raw blob,
    since year,
    UNIQUE KEY people_email (email),
    CONSTRAINT people_salary CHECK (salary >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE teams (
    id bigint NOT NULL PRIMARY KEY,
    title varchar(20) NOT NULL,
    lead_id int,
    budget decimal(12, 3),
    CONSTRAINT teams_lead FOREIGN KEY (lead_id) REFERENCES people (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE members (
    team_id bigint NOT NULL,
    person_id int NOT NULL,
    role varchar(20),
    PRIMARY KEY (team_id, person_id),
    CONSTRAINT members_team FOREIGN KEY (team_id) REFERENCES teams (id) ON DELETE CASCADE,
    CONSTRAINT members_person FOREIGN KEY (person_id) REFERENCES people (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO people (name, email, age, points, salary, ratio, active, born, wakes, seen, made, feels, info, raw, since) VALUES
    ('Ada', 'ada@x', 36, 9000000000, 1234.50, 0.5, 1, '1980-02-29', '06:30:00', '2024-03-01 10:20:30', '2024-03-01 09:30:00.250000', 'happy', '{"a": 1}', x'00ff10', 1999),
    ('bob', 'bob@x', NULL, 0, NULL, NULL, 0, NULL, NULL, NULL, '2024-03-02 12:00:00', 'sad', NULL, NULL, NULL),
    ('Cy_50%', 'cy@x', 20, 5, 0.10, 1e100, 1, '2000-12-31', '23:59:59', '2024-12-31 23:59:59', '2024-06-01 00:00:00', 'ok', '[1, 2]', '', 2024);
INSERT INTO teams VALUES (1, 'Red', 1, 100.125), (2, 'Blue', NULL, NULL);
INSERT INTO members VALUES (1, 1, 'boss'), (1, 3, NULL), (2, 3, 'helper');
