"""Rules about databases of several shards: plan and data find them, the docs list them."""

from __future__ import annotations

from edgelift.model.findings import Level
from edgelift.model.rules import Rule

ROUTE = Rule(
    id="SHARD-ROUTE",
    level=Level.ERROR,
    title="A database is split into shards, and nothing says which one a request belongs to",
    why="without a route every statement on a split table is refused in the Worker",
    tip='say where a request\'s key stands: [data.shards.route] from = "header:X-Tenant" or the '
    "like, see docs/reference/shards.md",
)
CALL = Rule(
    id="SHARD-CALL",
    level=Level.ERROR,
    title="The function of a route is not there",
    why="the Worker could not tell which shard a request belongs to",
    tip="write data.shards.route.call as module:function of the app's own code",
)
ORIGIN = Rule(
    id="SHARD-ORIGIN",
    level=Level.ERROR,
    title="Shards are asked for where no database of a lifted app is split",
    why="a lifted app's database is split when it is moved from a server; one behind Hyperdrive "
    "stays where it is, and a SQLite file gives out row numbers that shards cannot share",
    tip="name the database that is meant, data.shards.database, and give it the strategy object or "
    "d1; or take [data.shards] out; edgelift move splits a SQLite file without its app",
)
UNIQUE = Rule(
    id="SHARD-UNIQUE",
    level=Level.WARNING,
    title="A unique key is kept within each shard, not among all",
    why="two shards cannot see each other's rows, so both may hold the same value",
    tip="take the column of the shards into the key, or let the origin's numbers be its values",
)
WRITE = Rule(
    id="SHARD-REPLICATED-WRITE",
    level=Level.WARNING,
    title="The app writes a table that lies as a whole in every shard",
    why="such a write is refused in the Worker: one shard alone would change",
    tip="leave these rows to migrations, or split the table: take it out of replicate",
)
RULES = (ROUTE, CALL, ORIGIN, UNIQUE, WRITE)
