"""Make the ledger's database: `python make_db.py FILE`."""

import sqlite3
import sys
from pathlib import Path


def make(path: Path, rows: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.executescript(
        "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL, tags TEXT, created_at TEXT);"
        "CREATE TABLE orders(id TEXT PRIMARY KEY, token TEXT, created_at TEXT);"
    )
    db.executemany(
        "INSERT INTO items VALUES (?,?,?,?,?)",
        [
            (i, f"Größe {i}" if i % 7 == 0 else f"item {i}", i / 3, f"a{i} b{i % 2}", "2024-01-01")
            for i in range(1, rows + 1)
        ],
    )
    db.execute(
        "INSERT INTO orders VALUES ('6b0cd4a8-0d0f-4d63-9d5c-1f1c7a9f9b11', 'tok', '2024-01-01')"
    )
    db.commit()
    db.close()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
