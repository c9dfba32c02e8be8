CREATE TABLE rooms (
    id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name varchar(40) NOT NULL,
    kind enum('single', 'double', 'suite') NOT NULL DEFAULT 'double',
    price decimal(8, 2) NOT NULL,
    smoking tinyint(1) NOT NULL DEFAULT 0,
    extras longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL CHECK (json_valid(extras)),
    UNIQUE KEY rooms_name (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci;

CREATE TABLE bookings (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    room_id int unsigned NOT NULL,
    guest varchar(80) NOT NULL,
    arrives date NOT NULL,
    nights smallint NOT NULL,
    paid decimal(10, 2) NOT NULL DEFAULT 0.00,
    note text,
    made datetime(6) NOT NULL,
    CONSTRAINT bookings_room FOREIGN KEY (room_id) REFERENCES rooms (id),
    KEY bookings_arrives (arrives)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci;

CREATE TABLE visits (
    page varchar(60) NOT NULL PRIMARY KEY,
    number int NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci;

INSERT INTO rooms (name, kind, price, smoking, extras) VALUES
    ('Attic', 'single', 49.50, 0, '{"view": "roofs", "beds": [1]}'),
    ('Garden', 'double', 80.00, 0, '{}'),
    ('kings', 'suite', 199.99, 1, '{"view": "park", "bath": true}');
INSERT INTO bookings (room_id, guest, arrives, nights, paid, note, made) VALUES
    (1, 'Ada', '2024-05-01', 2, 99.00, NULL, '2024-04-01 10:00:00.250000'),
    (3, 'Grace', '2024-05-03', 1, 0.00, 'late arrival', '2024-04-02 11:30:00.000000');
INSERT INTO visits VALUES ('home', 41);
