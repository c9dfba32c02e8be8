"""Rules of the plan itself: databases it cannot move, sizes it cannot take."""

from __future__ import annotations

from edgelift.model.findings import Level
from edgelift.model.rules import Rule
from edgelift.model.shard_rules import RULES as SHARD_RULES
from edgelift.stages.plan.django_code import RULES as DJANGO_RULES
from edgelift.stages.plan.driver_code import RULES as DRIVER_RULES
from edgelift.stages.plan.server_code import RULES as SERVER_RULES
from edgelift.stages.plan.transactions.rules import RULES as TRANSACTION_RULES

ENGINE = Rule(
    id="DB-ENGINE",
    level=Level.ERROR,
    title="A database is of an engine that edgelift does not know",
    why="PostgreSQL, MySQL, MariaDB and SQLite are known",
    tip="keep the backend where it is, or move the database to one of those first",
)
MOVED = Rule(
    id="DB-MOVED",
    level=Level.ERROR,
    title="A server's database becomes SQLite while the app speaks the server's SQL",
    why="rows, keys, checks and views are converted; statements of SQLAlchemy and Django and the "
    "app's own SQL texts run in SQLite's words, as far as the SQL-DIALECT and DJANGO rules and "
    "verify show; texts are sorted by their bytes",
    tip="leave strategy out to keep the database on its server through Hyperdrive; or let "
    "the app take its URL from a variable (databases.env), and accept the rule",
)
SERVER_URL = Rule(
    id="DB-SERVER-URL",
    level=Level.ERROR,
    title="A database server's URL names no database",
    why="Hyperdrive needs host, port, user, password and database",
    tip="write the whole URL, scheme://user:password@host:port/database, through a variable",
)
HYPERDRIVE_ID = Rule(
    id="HYPERDRIVE-ID",
    level=Level.WARNING,
    title="A Hyperdrive configuration must be created before the Worker is deployed",
    why="wrangler.jsonc names it by its id, which Cloudflare gives when it is created",
    tip='run: wrangler hyperdrive create NAME --connection-string "$DATABASE_URL"; then write the '
    "id as databases.hyperdrive_id into edgelift.toml",
)
HYPERDRIVE_PRIVATE = Rule(
    id="HYPERDRIVE-PRIVATE",
    level=Level.WARNING,
    title="Cloudflare cannot reach a database server by its address",
    why="Hyperdrive connects from the internet, and this address is of this machine or network",
    tip="give the server a public address with TLS, or create the configuration with Workers VPC "
    "or a Cloudflare Tunnel (wrangler hyperdrive create --access-client-id ...)",
)
OVERRIDES = Rule(
    id="DB-OVERRIDES",
    level=Level.ERROR,
    title="[schema] changes a SQLite database that the app's own SQL names",
    why="the app is lifted unmodified: what stays behind is missing for it, and what is renamed, "
    "cast or rewritten it would not find under its old name or in its old form; schema refuses "
    "those whatever is accepted",
    tip="accept the rule for tables, views and indexes that the app does not use; for all else "
    "change the app and its database first, or move the database alone: edgelift move",
)
SIZE = Rule(
    id="LIMIT-D1-SIZE",
    level=Level.ERROR,
    title="A database is larger than D1 and SQL objects take",
    why="a D1 database, and a SQL object, holds 10 GB, which cannot be raised",
    tip="split it, or move old rows elsewhere first",
)
FREE_SIZE = Rule(
    id="LIMIT-D1-FREE",
    level=Level.NOTE,
    title="A database needs the paid plan",
    why="on the free plan a D1 database holds 500 MB, all SQL objects together 5 GB",
    tip="use Workers Paid",
)
CRONS = Rule(
    id="LIMIT-CRONS",
    level=Level.WARNING,
    title="More cron triggers than the free plan has",
    why="the free plan has 5 in an account, the paid plan 250",
    tip="give jobs the same schedule where that does no harm, or use Workers Paid",
)
MODEL = Rule(
    id="MODEL-KIND",
    level=Level.WARNING,
    title="A serialized object has no export",
    why="only estimators of scikit-learn that edgelift knows are exported; other files are copied "
    "as they are, and loading them needs the package that wrote them",
    tip="see docs/reference/rules.md; leave the file out when the app does not load it",
)
RULES = (
    ENGINE,
    MOVED,
    SERVER_URL,
    HYPERDRIVE_ID,
    HYPERDRIVE_PRIVATE,
    OVERRIDES,
    SIZE,
    FREE_SIZE,
    CRONS,
    MODEL,
    *SERVER_RULES,
    *DRIVER_RULES,
    *DJANGO_RULES,
    *SHARD_RULES,
    *TRANSACTION_RULES,
)
