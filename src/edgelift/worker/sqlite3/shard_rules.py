"""What a statement may do in a database of several shards: refused before it is sent, by name.

A table lies either in parts, one in each shard, or as a whole in all of them. The parts of a shard
are seen by whoever works on that shard; what every shard holds may be read from any of them, and is
written by none: one shard alone would change. The schema is the same everywhere, so no statement
changes it; migrations do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgelift.worker.shard_map import ShardMap
from edgelift.worker.sqlite3.errors import OperationalError
from edgelift.worker.sqlite3.rewrite import QUERY_NAME, target_table
from edgelift.worker.sqlite3.statement import WRITES, Statement, parse
from edgelift.worker.sqlite3.tokens import QUOTED, STRING, WORD, unquote

# The last is what the driver itself puts around queries, nearly always.
_READS = re.compile(rf"\s*(?i:SELECT|VALUES|PRAGMA|EXPLAIN)\b|WITH {QUERY_NAME}\(")
# A name may stand in single quotes where SQLite expects one.
_BEFORE_NAMES = frozenset({"FROM", "JOIN", "INTO", "UPDATE", ","})


class ShardError(OperationalError):
    """A statement that belongs to no shard, or would change one where all must stay alike."""


class Rules:
    """The rules of one database; `key` names what it is split by."""

    def __init__(self, routing: ShardMap) -> None:
        self.key = routing.key
        self._split = {name.lower() for name in (*routing.split, *routing.views)}
        self._replicated = {name.lower() for name in routing.replicated}

    def check(self, texts: Iterable[str]) -> None:
        """Let statements pass that a shard may run; raises ShardError."""
        for sql in texts:
            if not _READS.match(sql):
                self._check_change(parse(sql))

    def check_without_shard(self, texts: Iterable[str], reason: str) -> None:
        """Let statements pass whose answer every shard gives alike; raises ShardError."""
        for sql in texts:
            statement = parse(sql)
            if statement.first in {"PRAGMA", ""}:
                continue
            named = sorted(_read_names(statement) & self._split)
            if named:
                raise ShardError(f"{named[0]} is split by {self.key}: {reason}")
            if statement.first != "EXPLAIN" and not statement.is_query:
                self._check_change(statement)
                raise ShardError(f"nothing is written without a shard: {reason}")

    def _check_change(self, statement: Statement) -> None:
        if statement.is_query or statement.first in {"", "EXPLAIN", "PRAGMA"}:
            return
        if statement.verb not in WRITES:
            raise ShardError(
                f"{statement.first} would change the schema of one shard: all have the same; "
                "change it by migrations, in each of them"
            )
        table = target_table(statement)
        if table.lower() in self._replicated:
            raise ShardError(
                f"{table} lies as a whole in every shard: a write would change one of them alone"
            )


def _read_names(statement: Statement) -> set[str]:
    """Return the words that may be names of tables, in lower case."""
    found, before = set(), ""
    for token in statement.tokens:
        named = token.kind in {WORD, QUOTED}
        if named or (token.kind == STRING and before in _BEFORE_NAMES):
            found.add(unquote(token).lower())
        before = token.upper
    return found
