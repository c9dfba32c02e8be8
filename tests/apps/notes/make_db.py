"""Make the notebook's database: python make_db.py [rows]."""

import os
import sqlite3
import sys

rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "notes.db")
if os.path.exists(path):
    os.unlink(path)
db = sqlite3.connect(path)
db.executescript(
    """
    CREATE TABLE note (
      id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL CHECK (length(title) > 0),
      weight REAL, big INTEGER, body BLOB, created TEXT NOT NULL DEFAULT '2026-01-01 00:00:00');
    CREATE TABLE tag (note_id INTEGER NOT NULL REFERENCES note(id), name TEXT NOT NULL);
    CREATE INDEX tag_name ON tag(name);
    CREATE VIEW heavy AS SELECT id, title FROM note WHERE weight > 100;
    """
)
for i in range(1, rows + 1):
    weight = None if i % 7 == 0 else (float(i) if i % 5 == 0 else i / 3)
    db.execute(
        "INSERT INTO note (title, weight, big) VALUES (?, ?, ?)",
        (f"note {i} \N{SNOWMAN} ", weight, 2**53 + i),
    )
    db.execute("INSERT INTO tag VALUES (?, ?)", (i, f"tag{i % 10}"))
db.commit()
db.close()
