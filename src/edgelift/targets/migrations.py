"""The migrations of a database: names and texts as they stand in the projects that build makes.

Build writes them into both projects; data tells by their hash whether a deployed SQL object has
the tables of the rows, and marks them as applied where D1's import has made the tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# Files of the schema stage and the migrations made of them: rows are loaded between the two.
SCHEMA_PARTS = {"tables": "schema", "after": "after_load"}


class Migration(NamedTuple):
    """One migration: `name` is that of its file without the ending."""

    name: str
    sql: str


def number_migrations(parts: Mapping[str, bytes]) -> list[Migration]:
    """Return migrations in order, with the numbers that their names begin with."""
    return [
        Migration(f"{number:04}_{name}", content.decode())
        for number, (name, content) in enumerate(parts.items(), 1)
    ]


def read_migrations(folder: Path, database: str) -> list[Migration]:
    """Return the migrations of a database from the schema stage's folder; raises OSError."""
    return number_migrations(
        {
            name: (folder / f"{database}.{ending}.sql").read_bytes()
            for ending, name in SCHEMA_PARTS.items()
        }
    )


def hash_migrations(migrations: Sequence[Migration]) -> str:
    """Return the hash by which a SQL object knows its schema: see js/sql_loading.mjs."""
    digest = hashlib.sha256()
    for name, sql in migrations:
        digest.update(f"{name}\0{sql}\0".encode())
    return digest.hexdigest()
