"""Make the bank's database: `python make_db.py FILE`."""

import sqlite3
import sys
from pathlib import Path


def make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.executescript(
        "CREATE TABLE account(id INTEGER NOT NULL PRIMARY KEY, owner VARCHAR NOT NULL UNIQUE,"
        " balance INTEGER NOT NULL CHECK (balance >= 0));"
        "CREATE TABLE entry(id INTEGER NOT NULL PRIMARY KEY,"
        " account_id INTEGER NOT NULL REFERENCES account(id), amount INTEGER NOT NULL, note VARCHAR);"
    )
    accounts = [(i, f"owner {i}", 100 + i) for i in range(1, 31)]
    db.executemany("INSERT INTO account VALUES (?,?,?)", accounts)
    db.executemany(
        "INSERT INTO entry(account_id, amount, note) VALUES (?,?,?)",
        [(i, balance, "opening") for i, _, balance in accounts],
    )
    db.commit()
    db.close()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
