-- A trader's database of Northwind's class: text keys, pictures, flags as BIT, reports as views, triggers that keep the stock.
CREATE TABLE categories (CategoryID tinyint unsigned NOT NULL AUTO_INCREMENT, CategoryName varchar(15) NOT NULL, Description mediumtext, Picture longblob, PRIMARY KEY (CategoryID), UNIQUE KEY uidx_name (CategoryName));
CREATE TABLE customers (CustomerID varchar(5) NOT NULL, CompanyName varchar(40) NOT NULL, City varchar(15), Fax varchar(24), PRIMARY KEY (CustomerID), KEY idx_city (City));
CREATE TABLE employees (EmployeeID mediumint NOT NULL AUTO_INCREMENT PRIMARY KEY, LastName varchar(20) NOT NULL, BirthDate date, Salary float, ReportsTo mediumint, CONSTRAINT boss FOREIGN KEY (ReportsTo) REFERENCES employees (EmployeeID));
CREATE TABLE products (ProductID smallint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, ProductName varchar(40) NOT NULL, CategoryID tinyint unsigned, UnitPrice decimal(10,2) unsigned DEFAULT 0, UnitsInStock smallint DEFAULT 0, Discontinued bit(1) NOT NULL DEFAULT b'0',
    CONSTRAINT fk_category FOREIGN KEY (CategoryID) REFERENCES categories (CategoryID) ON UPDATE CASCADE ON DELETE SET NULL, FULLTEXT KEY words (ProductName));
CREATE TABLE orders (OrderID int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, CustomerID varchar(5), EmployeeID mediumint, OrderDate datetime, ShippedDate datetime, Freight decimal(10,2) unsigned DEFAULT 0, State enum('open', 'sent') NOT NULL DEFAULT 'open',
    Touched timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(), CONSTRAINT fk_customer FOREIGN KEY (CustomerID) REFERENCES customers (CustomerID), CONSTRAINT fk_employee FOREIGN KEY (EmployeeID) REFERENCES employees (EmployeeID)) AUTO_INCREMENT=10250 COMMENT='what was asked for';
CREATE TABLE `order details` (OrderID int unsigned NOT NULL, ProductID smallint unsigned NOT NULL, UnitPrice decimal(10,2) unsigned NOT NULL, Quantity smallint unsigned NOT NULL DEFAULT 1 CHECK (Quantity > 0), Discount double NOT NULL DEFAULT 0,
    Total decimal(20,2) GENERATED ALWAYS AS (UnitPrice * Quantity) STORED, PRIMARY KEY (OrderID, ProductID), CONSTRAINT fk_order FOREIGN KEY (OrderID) REFERENCES orders (OrderID) ON DELETE CASCADE, FOREIGN KEY (ProductID) REFERENCES products (ProductID));
CREATE VIEW `Current Product List` AS SELECT ProductID, ProductName FROM products WHERE Discontinued = 0;
CREATE VIEW `Order Subtotals` AS SELECT OrderID, sum(Quantity) AS Pieces, count(DISTINCT ProductID) AS Products FROM `order details` GROUP BY OrderID;
CREATE VIEW `Open Orders` AS SELECT o.OrderID, c.CompanyName, if(o.ShippedDate IS NULL, 'open', 'sent') AS Shown FROM orders o LEFT JOIN customers c ON c.CustomerID = o.CustomerID WHERE o.State = 'open';
DELIMITER ;;
CREATE TRIGGER take_stock AFTER INSERT ON `order details` FOR EACH ROW UPDATE products SET UnitsInStock = UnitsInStock - NEW.Quantity WHERE ProductID = NEW.ProductID;;
CREATE TRIGGER give_back AFTER DELETE ON `order details` FOR EACH ROW BEGIN
  UPDATE products SET UnitsInStock = UnitsInStock + OLD.Quantity WHERE ProductID = OLD.ProductID;
END;;
CREATE TRIGGER no_refund BEFORE UPDATE ON `order details` FOR EACH ROW IF NEW.Quantity > OLD.Quantity THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'order anew'; END IF;;
CREATE PROCEDURE `Sales by Year` (IN from_day datetime, IN to_day datetime) BEGIN SELECT count(*) FROM orders WHERE ShippedDate BETWEEN from_day AND to_day; END;;
DELIMITER ;
INSERT INTO categories VALUES (1, 'Beverages', 'Soft drinks', ''), (2, 'Condiments', NULL, X'00ff');
INSERT INTO customers VALUES ('ALFKI', 'Alfreds Futterkiste', 'Berlin', NULL), ('ANTON', 'Antonio Moreno', 'Mexico', '1');
INSERT INTO employees VALUES (2, 'Fuller', '1952-02-19', 2254.49, NULL), (1, 'Davolio', '1948-12-08', 2954.55, 2);
INSERT INTO products VALUES (1, 'Chai', 1, 18, 39, b'0'), (2, 'Chang', 2, 19.1, 17, b'1');
INSERT INTO orders VALUES (10248, 'ALFKI', 1, '1996-07-04', '1996-07-16', 32.38, 'sent', '2024-01-01'), (10249, 'ANTON', 2, '1997-07-05', NULL, 0.1, 'open', '2024-01-01');
INSERT INTO `order details` (OrderID, ProductID, UnitPrice, Quantity, Discount) VALUES (10248, 1, 14, 12, 0), (10248, 2, 9.8, 10, 0.15);
