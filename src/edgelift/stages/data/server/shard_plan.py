"""Plan shards from what the data is like: rows and bytes of each, before anything moves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from sqlglot import exp

from edgelift.errors import BlockersFound
from edgelift.model.move_plan import MovePlan, TableMove
from edgelift.model.mover_settings import ShardsSection
from edgelift.model.origin_schema import OriginSchema
from edgelift.model.shard_map import SLOT_DIGITS, Shard, ShardMap, ShardTable
from edgelift.sources.origin_database import Capabilities, SnapshotReader
from edgelift.stages.data.server.shard_routes import Name, Routes, find_routes
from edgelift.targets.d1_dialect import MAX_DATABASE_BYTES

# Indexes, page overhead and room to grow; the finished file is measured against the limit itself.
ROOM = 1.3
MOST_TENANTS = 10_000  # their list stands in the map and in every query
Size = tuple[int, int]


@dataclass
class Splitting:
    """A database about to be split, and what was measured of it: rows and bytes by slot."""

    plan: MovePlan
    section: ShardsSection
    routes: Routes
    dialect: str
    slots: dict[str, Size] = field(default_factory=dict)
    tables: dict[str, Size] = field(default_factory=dict)
    replicated: Size = (0, 0)

    def write_slot(self, name: Name) -> str:
        """Return the SQL of a row's slot: the tenant, or the first digits of the key's hash."""
        capabilities = self.routes.capabilities
        text = capabilities.as_text.format(self.routes.write_value(name))
        if self.section.by == "tenant":
            return text
        return f"substr({capabilities.hash_text.format(text)}, 1, {SLOT_DIGITS})"

    def write_condition(self, name: Name, shard: Shard) -> str:
        """Return the SQL that is true for a table's rows of a shard, empty for a replicated one."""
        if name in self.routes.replicated:
            return ""
        slot = self.write_slot(name)
        if self.section.by == "key":
            return f"{slot} BETWEEN '{shard.low}' AND '{shard.high}'"
        listed = ", ".join(exp.Literal.string(t).sql(dialect=self.dialect) for t in shard.tenants)
        return f"{slot} IN ({listed})" if listed else "1 = 0"


def measure_splitting(
    origin: OriginSchema,
    plan: MovePlan,
    section: ShardsSection,
    capabilities: Capabilities,
    reader: SnapshotReader,
    tell: Callable[[str, int, int], None],
) -> Splitting:
    """Measure every slot; raises BlockersFound for rows that belong to none or to two."""
    routes = find_routes(origin, plan, section, capabilities)
    splitting = Splitting(plan, section, routes, plan.dialect)
    slots: defaultdict[str, Size] = defaultdict(lambda: (0, 0))
    for done, move in enumerate(plan.tables):
        tell("tables measured for shards", done, len(plan.tables))
        name = (move.spec.schema, move.spec.table)
        if name in routes.replicated:
            facts = reader.read_facts(move.spec)
            size = (facts.rows, facts.total_bytes)
            splitting.replicated = _add(splitting.replicated, size)
        else:
            _check_crossing(splitting, reader, move, name)
            groups = reader.read_groups(move.spec, splitting.write_slot(name))
            size = (0, 0)
            for slot, found in groups.items():
                if slot is None:
                    raise _homeless(splitting, move, found[0])
                slots[slot] = _add(slots[slot], found)
                size = _add(size, found)
        splitting.tables[move.spec.target] = size
    if section.by == "tenant" and len(slots) > MOST_TENANTS:
        raise BlockersFound(
            f"{plan.database} has {len(slots)} tenants",
            why=f"a list of tenants takes {MOST_TENANTS} at most",
            tip=f"write by = 'key' with column = '{section.column}': their hash decides then",
        )
    splitting.slots = dict(slots)
    return splitting


def _add(one: Size, other: Size) -> Size:
    return (one[0] + other[0], one[1] + other[1])


def _homeless(splitting: Splitting, move: TableMove, rows: int) -> BlockersFound:
    name = (move.spec.schema, move.spec.table)
    return BlockersFound(
        f"{rows} rows of {move.spec.table} belong to no shard",
        why=f"their shard key is NULL, or the row it is taken from is missing: "
        f"{splitting.routes.describe(name)}",
        tip="give these rows a key at the origin, or list the table under replicate",
    )


def _check_crossing(
    splitting: Splitting, reader: SnapshotReader, move: TableMove, name: Name
) -> None:
    """Raise BlockersFound where a foreign key leads to a row of another shard key."""
    routes = splitting.routes
    text = routes.capabilities.as_text
    slim = msgspec.structs.replace(move.spec, fields=move.spec.fields[:1])
    for key in routes.tables[name].foreign_keys:
        parent = (key.target_schema, key.target_table)
        if parent not in routes.routes or routes.routes[name].key == key:
            continue
        own = text.format(routes.write_value(name))
        other = text.format(routes.write_parent_value(key, routes.capabilities.quote(name[1])))
        groups = reader.read_groups(slim, f"CASE WHEN {own} <> {other} THEN 'x' ELSE 'same' END")
        if "x" in groups:
            raise BlockersFound(
                f"{groups['x'][0]} rows of {name[1]} refer to rows of another shard",
                why=f"the foreign key {', '.join(key.columns)} -> {parent[1]} crosses "
                f"{splitting.section.column or splitting.section.table}",
                tip=f"mend these rows, replicate {parent[1]}, or split by another column",
            )


def plan_shards(splitting: Splitting, before: ShardMap | None = None) -> ShardMap:
    """Return the map; raises BlockersFound when a shard cannot be kept below the limit.

    `before` is the map of an earlier run: what it placed stays there while that fits.
    """
    section = splitting.section
    limit = section.max_bytes or MAX_DATABASE_BYTES
    room = int(limit / ROOM) - splitting.replicated[1]
    place = _place_tenants if section.by == "tenant" else _place_slots
    total = sum(size for _, size in splitting.slots.values())
    first = section.count or max(1, -(-total // max(1, room)))
    # Twice as many as the bytes alone ask for always suffices for parts of at most half a shard.
    for count in range(first, (section.count or first * 2 + 1) + 1):
        groups = place(splitting.slots, count)
        shards = _to_shards(splitting, groups)
        if max(s.bytes - splitting.replicated[1] for s in shards) <= room:
            break
    else:
        largest = max(shards, key=lambda s: s.bytes)
        raise BlockersFound(
            f"The shard {largest.name} would be larger than a database may be",
            why=f"its values have {largest.bytes} bytes, and {ROOM:.1f} times that with indexes "
            f"and room; the limit is {limit}",
            tip="ask for more shards, or split by a column with smaller parts",
        )
    if before is not None and _still_fits(splitting, before, room):
        ends = [(shard.low, shard.high) for shard in before.shards]
        shards = _to_shards(splitting, _follow(splitting, before), ends)
    return ShardMap(
        database=splitting.plan.database,
        by=section.by,
        key=section.column or section.table,
        shards=tuple(shards),
        tables=tuple(_describe(splitting, move) for move in splitting.plan.tables),
        max_bytes=limit,
    )


def _place_tenants(slots: dict[str, Size], count: int) -> list[list[str]]:
    """Give each tenant, the largest first, to the shard that has the least so far."""
    groups: list[list[str]] = [[] for _ in range(count)]
    sizes = [0] * count
    for tenant, (_, size) in sorted(slots.items(), key=lambda item: (-item[1][1], item[0])):
        least = sizes.index(min(sizes))
        groups[least].append(tenant)
        sizes[least] += size
    return [sorted(group) for group in groups]


def _place_slots(slots: dict[str, Size], count: int) -> list[list[str]]:
    """Cut the slots, in order, where a shard has reached its part of what is left."""
    groups: list[list[str]] = [[] for _ in range(count)]
    left = sum(size for _, size in slots.values())
    number, held = 0, 0
    for slot in sorted(slots):
        size = slots[slot][1]
        wanted = left / (count - number)
        if number < count - 1 and groups[number] and held + size / 2 > wanted:
            left -= held
            number, held = number + 1, 0
        groups[number].append(slot)
        held += size
    return groups


def _to_shards(
    splitting: Splitting, groups: list[list[str]], ends: list[tuple[str, str]] | None = None
) -> list[Shard]:
    digits = len(str(len(groups) - 1))
    if ends is None:
        ends = _find_ends(groups) if splitting.section.by == "key" else [("", "")] * len(groups)
    shards = []
    for number, (group, (low, high)) in enumerate(zip(groups, ends, strict=True)):
        size = splitting.replicated
        for slot in group:
            size = _add(size, splitting.slots[slot])
        tenants = tuple(group) if splitting.section.by == "tenant" else ()
        name = f"{splitting.plan.database}-{number:0{digits}d}"
        shards.append(
            Shard(name=name, rows=size[0], bytes=size[1], tenants=tenants, low=low, high=high)
        )
    return shards


def _find_ends(groups: list[list[str]]) -> list[tuple[str, str]]:
    """Return ranges of slots that cover all there can be, also those that hold nothing yet."""
    starts = [0, *(int(group[0], 16) if group else 16**SLOT_DIGITS for group in groups[1:])]
    ends = [*(start - 1 for start in starts[1:]), 16**SLOT_DIGITS - 1]
    return [
        (f"{low:0{SLOT_DIGITS}x}", f"{high:0{SLOT_DIGITS}x}") if low <= high else ("~", "~")
        for low, high in zip(starts, ends, strict=True)
    ]


def _follow(splitting: Splitting, before: ShardMap) -> list[list[str]]:
    """Return the slots as an earlier map has them; a tenant it lacks goes to the smallest shard."""
    if before.by == "key":
        return [
            [slot for slot in sorted(splitting.slots) if shard.low <= slot <= shard.high]
            for shard in before.shards
        ]
    groups = [[t for t in shard.tenants if t in splitting.slots] for shard in before.shards]
    known = {tenant for group in groups for tenant in group}
    sizes = [sum(splitting.slots[t][1] for t in group) for group in groups]
    for tenant in sorted(set(splitting.slots) - known):
        least = sizes.index(min(sizes))
        groups[least].append(tenant)
        sizes[least] += splitting.slots[tenant][1]
    return [sorted(group) for group in groups]


def _still_fits(splitting: Splitting, before: ShardMap, room: int) -> bool:
    section = splitting.section
    if (before.by, before.key) != (section.by, section.column or section.table):
        return False
    if section.count and section.count != len(before.shards):
        return False
    groups = _follow(splitting, before)
    return all(sum(splitting.slots[slot][1] for slot in group) <= room for group in groups)


def _describe(splitting: Splitting, move: TableMove) -> ShardTable:
    name = (move.spec.schema, move.spec.table)
    route = splitting.routes.routes.get(name)
    rows, size = splitting.tables[move.spec.target]
    return ShardTable(
        table=move.spec.target,
        way=route.way if route else "replicated",
        detail=splitting.routes.describe(name),
        rows=rows,
        bytes=size,
    )


def select_shard(splitting: Splitting, shard: Shard) -> MovePlan:
    """Return the plan of one shard: the same tables, each with the rows of the shard alone."""
    tables = []
    for move in splitting.plan.tables:
        condition = splitting.write_condition((move.spec.schema, move.spec.table), shard)
        wheres = [f"({part})" for part in (move.spec.where, condition) if part]
        spec = msgspec.structs.replace(move.spec, where=" AND ".join(wheres))
        share = 1.0 if not condition else shard.rows / max(1, splitting.plan.rows)
        tables.append(
            msgspec.structs.replace(
                move, spec=spec, rows=int(move.rows * share), bytes=int(move.bytes * share)
            )
        )
    return msgspec.structs.replace(splitting.plan, database=shard.name, tables=tuple(tables))


def describe_map(found: ShardMap) -> list[str]:
    """Return the plan in lines: each shard with rows and bytes, each table with its way."""
    lines = [
        f"{shard.name}: {shard.rows} rows, {shard.bytes} bytes, "
        + (f"{len(shard.tenants)} tenants" if found.by == "tenant" else f"{shard.low}-{shard.high}")
        for shard in found.shards
    ]
    lines += [f"{t.table}: {t.rows} rows, {t.way} {t.detail}" for t in found.tables]
    return lines
