-- A record shop's database of Chinook's class: AUTO_INCREMENT keys, joins through a table, a tree of employees.
CREATE TABLE `Artist` (`ArtistId` INT NOT NULL AUTO_INCREMENT, `Name` NVARCHAR(120), CONSTRAINT `PK_Artist` PRIMARY KEY (`ArtistId`));
CREATE TABLE `Album` (`AlbumId` INT NOT NULL AUTO_INCREMENT, `Title` NVARCHAR(160) NOT NULL, `ArtistId` INT NOT NULL, PRIMARY KEY (`AlbumId`),
    CONSTRAINT `FK_AlbumArtistId` FOREIGN KEY (`ArtistId`) REFERENCES `Artist` (`ArtistId`) ON DELETE NO ACTION ON UPDATE NO ACTION);
CREATE TABLE `Employee` (`EmployeeId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `LastName` NVARCHAR(20) NOT NULL, `ReportsTo` INT, `BirthDate` DATETIME, `HireDate` DATETIME DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (`ReportsTo`) REFERENCES `Employee` (`EmployeeId`));
CREATE TABLE `Customer` (`CustomerId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `FirstName` NVARCHAR(40) NOT NULL, `Company` NVARCHAR(80), `Email` NVARCHAR(60) NOT NULL UNIQUE, `SupportRepId` INT,
    FOREIGN KEY (`SupportRepId`) REFERENCES `Employee` (`EmployeeId`) ON DELETE SET NULL);
CREATE TABLE `Genre` (`GenreId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `Name` NVARCHAR(120));
CREATE TABLE `Track` (`TrackId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `Name` NVARCHAR(200) NOT NULL, `AlbumId` INT, `GenreId` INT, `Composer` NVARCHAR(220), `Milliseconds` INT NOT NULL CHECK (`Milliseconds` > 0),
    `Bytes` INT, `UnitPrice` NUMERIC(10,2) NOT NULL DEFAULT 0.99, FOREIGN KEY (`AlbumId`) REFERENCES `Album` (`AlbumId`) ON UPDATE CASCADE, FOREIGN KEY (`GenreId`) REFERENCES `Genre` (`GenreId`));
CREATE INDEX `IFK_TrackName` ON `Track` (`Name`(20), `Milliseconds` DESC);
CREATE TABLE `Invoice` (`InvoiceId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `CustomerId` INT NOT NULL, `InvoiceDate` DATETIME NOT NULL, `BillingCountry` NVARCHAR(40), `Total` NUMERIC(10,2) NOT NULL,
    FOREIGN KEY (`CustomerId`) REFERENCES `Customer` (`CustomerId`));
CREATE TABLE `InvoiceLine` (`InvoiceLineId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `InvoiceId` INT NOT NULL, `TrackId` INT NOT NULL, `UnitPrice` NUMERIC(10,2) NOT NULL, `Quantity` INT NOT NULL,
    FOREIGN KEY (`InvoiceId`) REFERENCES `Invoice` (`InvoiceId`) ON DELETE CASCADE, FOREIGN KEY (`TrackId`) REFERENCES `Track` (`TrackId`));
CREATE TABLE `Playlist` (`PlaylistId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `Name` NVARCHAR(120));
CREATE TABLE `PlaylistTrack` (`PlaylistId` INT NOT NULL, `TrackId` INT NOT NULL, CONSTRAINT `PK_PlaylistTrack` PRIMARY KEY (`PlaylistId`, `TrackId`),
    FOREIGN KEY (`PlaylistId`) REFERENCES `Playlist` (`PlaylistId`), FOREIGN KEY (`TrackId`) REFERENCES `Track` (`TrackId`));
CREATE VIEW `Sales` AS SELECT i.`BillingCountry` AS country, count(*) AS `lines`, sum(l.`UnitPrice` * l.`Quantity`) AS total
    FROM `Invoice` i JOIN `InvoiceLine` l ON l.`InvoiceId` = i.`InvoiceId` GROUP BY i.`BillingCountry`;
INSERT INTO `Artist` VALUES (1, 'Anima'), (2, 'AC/DC');
INSERT INTO `Album` VALUES (1, 'Elise', 1), (2, 'Live', 2);
INSERT INTO `Employee` VALUES (1, 'Adams', NULL, '1962-02-18', '2002-08-14'), (2, 'Edwards', 1, NULL, '2002-05-01');
INSERT INTO `Customer` VALUES (1, 'Luis', NULL, 'luis@example.org', 2);
INSERT INTO `Genre` VALUES (1, 'Rock');
INSERT INTO `Track` VALUES (1, 'One', 1, 1, 'L. v. B.', 343719, 11170334, 0.99), (2, 'Two', 2, 1, NULL, 1, NULL, 1.99);
INSERT INTO `Invoice` VALUES (1, 1, '2021-01-01', 'Brasil', 2.97);
INSERT INTO `InvoiceLine` VALUES (1, 1, 1, 0.99, 1), (2, 1, 2, 0.99, 2);
