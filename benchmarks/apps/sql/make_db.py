"""Make the benchmark's database: python make_db.py."""

import os
import sqlite3

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sql.db")

if os.path.exists(PATH):
    os.unlink(PATH)
db = sqlite3.connect(PATH)
db.executescript(
    """
    CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL, stock INTEGER, big INTEGER, note TEXT);
    CREATE TABLE entry(id INTEGER PRIMARY KEY, text TEXT);
    CREATE TABLE counter(id INTEGER PRIMARY KEY, n INTEGER NOT NULL);
    INSERT INTO counter VALUES(1, 0);
    """
)
db.executemany(
    "INSERT INTO item VALUES(?,?,?,?,?,?)",
    [
        (i, f"item {i}", i / 7, i % 50, 2**53 + i, None if i % 3 else "x" * 20)
        for i in range(1, 2001)
    ],
)
db.commit()
db.close()
