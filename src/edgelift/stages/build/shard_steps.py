"""Writes SHARDS.md of the Worker project: which binding is which shard, how each gets its rows."""

from __future__ import annotations

from collections.abc import Iterator

from edgelift.model.shard_map import Member
from edgelift.stages.build.parts import Database, Parts

STEPS = "SHARDS.md"
_HEAD = """# Shards of {name}

Made by edgelift. A request's key leads to its shard by the map in `src/edgelift-shards`, which is
uploaded with the Worker. Rows have to lie where the map says before the Worker is opened.
"""
_D1 = """
## {name}: a D1 database for each shard

Write the rows as files for D1's import, within its limits:
`edgelift data PATH --import-files upload`. Then, for each database of the table, in this order:
create it and enter the id that is printed as `database_id` of its binding in wrangler.jsonc; import
its files in the order of their numbers. They make tables, rows, indexes and counters, so no
migration is to be applied before them.

{table}

```
{commands}
```
"""
_OBJECT = """
## {name}: an object for each shard

One class in the project `../sql` has all of them; an object is made, with its schema, when it is
first asked. Deploy `../sql` first; load the file of each member into the object of its name before
the app is deployed.

{table}
"""
_COUNTERS = "none: it gives out the numbers of the others"


def write_steps(parts: Parts, database_name: str) -> str:
    """Return the document, "" where no database is split; `database_name` is a pattern for D1's."""
    split = [database for database in parts.databases if database.shards is not None]
    if not split:
        return ""
    text = _HEAD.format(name=parts.project.settings.name)
    for database in split:
        pattern = _D1 if database.strategy == "d1" else _OBJECT
        commands = "\n".join(_list_commands(database.members, database_name))
        text += pattern.format(name=database.name, table=_write_table(database), commands=commands)
    return text


def _list_commands(members: list[Member], pattern: str) -> Iterator[str]:
    for member in members:
        name = pattern.format(member.name)
        yield f"wrangler d1 create {name}"
        yield f"for file in upload/{member.name}/*.sql; do"
        yield f'  wrangler d1 execute {name} --remote --yes --file "$file"'
        yield "done"


def _write_table(database: Database) -> str:
    assert database.shards is not None
    keys = {
        shard.name: f"{len(shard.tenants)} keys" if shard.tenants else f"{shard.low}-{shard.high}"
        for shard in database.shards.shards
    }
    rows = {shard.name: str(shard.rows) for shard in database.shards.shards}
    place = "binding" if database.strategy == "d1" else "object"
    lines = [f"| file | {place} | holds | rows |", "|---|---|---|---|"]
    for member in database.members:
        where = member.binding if database.strategy == "d1" else member.object_name
        held = keys.get(member.name, _COUNTERS)
        lines.append(
            f"| `data/target/{member.name}.sqlite` | `{where}` | {held} | "
            f"{rows.get(member.name, '0')} |"
        )
    return "\n".join(lines)
