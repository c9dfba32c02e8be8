CREATE TABLE depots (
    id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
    city varchar(40) NOT NULL,
    capacity int NOT NULL,
    UNIQUE KEY depots_city (city)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_nopad_ci;
CREATE TABLE parcels (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    depot_id int NOT NULL,
    code varchar(20) NOT NULL,
    weight decimal(8, 3) NOT NULL,
    status enum('new', 'moving', 'lost') NOT NULL DEFAULT 'new',
    fragile tinyint(1) NOT NULL DEFAULT 0,
    sent datetime DEFAULT NULL,
    label blob,
    UNIQUE KEY parcels_code (code),
    CONSTRAINT parcels_depot FOREIGN KEY (depot_id) REFERENCES depots (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_nopad_ci;
INSERT INTO depots (city, capacity) VALUES ('Malmo', 3), ('Oslo', 2);
INSERT INTO parcels (depot_id, code, weight, status, fragile, sent, label) VALUES
    (1, 'P-1', 1.250, 'new', 1, '2024-03-01 10:00:00', x'00ff'),
    (1, 'P-2', 20.000, 'moving', 0, NULL, NULL),
    (2, 'P-3', 0.500, 'lost', 0, '2024-04-01 23:59:59', '');
