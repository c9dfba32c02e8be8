-- A trading house: names with spaces, money, pictures, keys of texts, views with joins and unions.
CREATE TABLE [Categories] ([CategoryID] INTEGER PRIMARY KEY AUTOINCREMENT, [CategoryName] TEXT, [Description] TEXT, [Picture] BLOB);
CREATE TABLE [Customers] (
  [CustomerID] TEXT, [CompanyName] TEXT, [City] TEXT, [Fax] TEXT, PRIMARY KEY ([CustomerID]));
CREATE TABLE [Employees] (
  [EmployeeID] INTEGER PRIMARY KEY AUTOINCREMENT, [LastName] TEXT, [BirthDate] DATE, [Photo] BLOB, [ReportsTo] INTEGER,
  CHECK ([BirthDate] < '2100-01-01'), FOREIGN KEY ([ReportsTo]) REFERENCES [Employees] ([EmployeeID]));
CREATE TABLE [Products] (
  [ProductID] INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, [ProductName] TEXT NOT NULL, [CategoryID] INTEGER,
  [UnitPrice] NUMERIC DEFAULT 0 CHECK ([UnitPrice] >= (0)), [Discontinued] TEXT NOT NULL DEFAULT '0',
  FOREIGN KEY ([CategoryID]) REFERENCES [Categories] ([CategoryID]));
CREATE TABLE [Orders] (
  [OrderID] INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, [CustomerID] TEXT, [EmployeeID] INTEGER, [OrderDate] DATETIME,
  [Freight] NUMERIC DEFAULT 0, "Ship Name" TEXT, FOREIGN KEY ([EmployeeID]) REFERENCES [Employees] ([EmployeeID]),
  FOREIGN KEY ([CustomerID]) REFERENCES [Customers] ([CustomerID]));
CREATE TABLE [Order Details] (
  [OrderID] INTEGER NOT NULL, [ProductID] INTEGER NOT NULL, [UnitPrice] NUMERIC NOT NULL DEFAULT 0,
  [Quantity] INTEGER NOT NULL DEFAULT 1, [Discount] REAL NOT NULL DEFAULT 0, PRIMARY KEY ("OrderID", "ProductID"),
  CHECK ([Discount] >= (0) AND [Discount] <= (1)), CHECK ([Quantity] > (0)),
  FOREIGN KEY ([OrderID]) REFERENCES [Orders] ([OrderID]), FOREIGN KEY ([ProductID]) REFERENCES [Products] ([ProductID]));
CREATE TABLE [Codes] (code TEXT COLLATE NOCASE, "from" INT, note, PRIMARY KEY (code, "from")) WITHOUT ROWID;
CREATE VIEW [Product Sales] AS
  SELECT Categories.CategoryName, Products.ProductName,
    Sum(CONVERTED.UnitPrice * Quantity * (1 - Discount)) AS ProductSales
  FROM Categories JOIN Products ON Categories.CategoryID = Products.CategoryID
  JOIN [Order Details] AS CONVERTED ON Products.ProductID = CONVERTED.ProductID GROUP BY 1, 2;
CREATE VIEW [Customer and Staff by City] AS
  SELECT City AS Place, CompanyName AS Name, 'Customers' AS Relationship FROM Customers
  UNION SELECT NULL, LastName, 'Staff' FROM Employees ORDER BY 1, 2;
CREATE VIEW [Order Subtotals] AS
  SELECT "Order Details".OrderID, Sum("Order Details".UnitPrice * Quantity) AS Subtotal
  FROM "Order Details" GROUP BY "Order Details".OrderID;
INSERT INTO Categories (CategoryName, Description, Picture) VALUES ('Beverages', 'Soft drinks', x'151c2f0002'), ('Käse', NULL, NULL);
INSERT INTO Customers SELECT 'C' || value, 'Company ' || value, CASE WHEN value % 3 THEN 'Berlin' END, '' FROM json_each('[1,2,3,4,5,6,7,8]');
INSERT INTO Employees VALUES (1, 'Davolio', '1948-12-08', x'ff', NULL), (2, 'Fuller', '1952-02-19', NULL, 1), (5, 'Leverling', NULL, NULL, 2);
INSERT INTO Products (ProductName, CategoryID, UnitPrice) SELECT 'P' || value, value % 2 + 1, value * 1.25 FROM json_each('[1,2,3,4,5,6,7,8,9]');
WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 400)
  INSERT INTO Orders SELECT 10247 + n, 'C' || (n % 8 + 1), CASE n % 3 WHEN 0 THEN 1 WHEN 1 THEN 2 ELSE 5 END,
    datetime('1996-07-04', n || ' days'), n * 0.37, 'ship ' || n FROM s;
INSERT INTO [Order Details] SELECT OrderID, ProductID, UnitPrice, OrderID % 7 + 1, (ProductID % 3) * 0.05 FROM Orders, Products
  WHERE (OrderID + ProductID) % 4 = 0;
INSERT INTO Codes VALUES ('a', 1, 1), ('b', 1, '1'), ('B2', 2, 1.0), ('', -1, NULL);
