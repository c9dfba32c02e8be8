"""Rules of the transaction audit: what an origin's transactions promise and D1 does not keep.

The strategy `object` keeps it all: there the findings are notes.
"""

from __future__ import annotations

from edgelift.model.findings import Level
from edgelift.model.rules import Rule

_WHY = "in D1 every statement is committed at once"
_TIP = (
    'give the database strategy = "object" (or "auto"), which has real transactions; or make it '
    "one statement, or write nothing before all that can fail; or accept the rule under [accept] "
    "in edgelift.toml"
)

ROLLBACK = Rule(
    id="TXN-ROLLBACK-LOST",
    level=Level.ERROR,
    title="Rolls back after a write",
    why=f"{_WHY}, so this would not be undone",
    tip=_TIP,
)
RAISE = Rule(
    id="TXN-RAISE-AFTER-WRITE",
    level=Level.ERROR,
    title="Raises between a write and its commit",
    why=f"{_WHY}; the origin discards the write when the request fails",
    tip=_TIP,
)
BLOCK = Rule(
    id="TXN-BLOCK",
    level=Level.ERROR,
    title="Writes several times in one transaction block",
    why=f"{_WHY}; when a later one fails the block's earlier ones stay",
    tip=_TIP,
)
SAVEPOINT = Rule(
    id="TXN-SAVEPOINT",
    level=Level.ERROR,
    title="Relies on a savepoint for several writes",
    why=f"{_WHY}; D1 has no savepoints",
    tip=_TIP,
)
LOCK = Rule(
    id="TXN-LOCK",
    level=Level.ERROR,
    title="Locks the database for a transaction",
    why="D1 has no locks: other requests may write between two statements",
    tip='give the database strategy = "object" (or "auto"); or make the change one statement '
    "(UPDATE ... WHERE the old value), or accept the rule under [accept] in edgelift.toml",
)
MULTI_WRITE = Rule(
    id="TXN-MULTI-WRITE",
    level=Level.WARNING,
    title="Commits several writes at once",
    why=f"{_WHY}; when a later one fails the earlier ones stay",
    tip="fine when each write makes sense alone; else make them one statement",
)
FLUSH = Rule(
    id="TXN-FLUSH",
    level=Level.WARNING,
    title="Goes on after a flush before it commits",
    why=f"{_WHY}; when what follows fails, the flushed row stays",
    tip="fine when nothing between flush and commit can fail",
)
UNCOMMITTED = Rule(
    id="TXN-UNCOMMITTED",
    level=Level.WARNING,
    title="Writes without a commit",
    why=f"{_WHY}; the origin discards what is not committed",
    tip="add the commit, or remove the write",
)
TEARDOWN = Rule(
    id="TXN-TEARDOWN",
    level=Level.WARNING,
    title="Rolls back whatever failed before",
    why=f"{_WHY}; of the requests that write several times, what was written stays",
    tip="look at the places named by TXN-MULTI-WRITE",
)
FRAMEWORK = Rule(
    id="TXN-FRAMEWORK",
    level=Level.WARNING,
    title="Runs on a framework that writes in transactions of its own",
    why=f"{_WHY}; Django's admin, sessions, get_or_create, bulk_create and delete roll back or "
    "use savepoints when something fails, whatever the app's own code does",
    tip='leave the strategy to "auto", or accept the rule when no such part is used',
)
RULES = (
    ROLLBACK, RAISE, BLOCK, SAVEPOINT, LOCK, MULTI_WRITE, FLUSH, UNCOMMITTED, TEARDOWN, FRAMEWORK,
)  # fmt: skip
