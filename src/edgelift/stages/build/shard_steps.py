"""Writes SHARDS.md of the Worker project: which file is which shard, and how it is reached."""

from __future__ import annotations

from edgelift.stages.build.parts import Database, Parts

STEPS = "SHARDS.md"
_HEAD = """# Shards of {name}

Made by edgelift. A request's key leads to its shard by the map in `src/edgelift-shards`, which is
uploaded with the Worker. Rows have to lie where the map says before the Worker is opened: DEPLOY.md
has the commands, in their order.
"""
_SPLIT = """
## {name}: {what} for each shard

{table}
"""
_WHAT = {"d1": "a D1 database", "object": "an object of one class"}
_COUNTERS = "none: it gives out the numbers of the others"


def write_steps(parts: Parts) -> str:
    """Return the document, "" where no database is split."""
    split = [database for database in parts.databases if database.shards is not None]
    if not split:
        return ""
    text = _HEAD.format(name=parts.project.settings.name)
    for database in split:
        what, table = _WHAT[database.strategy], _write_table(database)
        text += _SPLIT.format(name=database.name, what=what, table=table)
    return text


def _write_table(database: Database) -> str:
    assert database.shards is not None
    keys = {
        shard.name: f"{len(shard.tenants)} keys"
        if database.shards.by == "tenant"
        else f"{shard.low}-{shard.high}"
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
