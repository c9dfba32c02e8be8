"""Make the soak backend's database: python make_db.py."""

import os
import sqlite3

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "soak.db")
if os.path.exists(path):
    os.unlink(path)
db = sqlite3.connect(path)
db.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, value REAL NOT NULL)")
db.executemany("INSERT INTO item VALUES (?, ?)", [(i, i / 7) for i in range(1, 201)])
db.execute("CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
db.execute("INSERT INTO counter VALUES (1, 0)")
db.commit()
db.close()
