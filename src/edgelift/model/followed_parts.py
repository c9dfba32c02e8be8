"""The parts of a catalogue that following depends on, each by name, so that a change can be named.

An index that is not unique, comments, statistics, sequences and routines change no row and nothing
that the target keeps of the origin, so they are no parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from edgelift.model.origin_schema import OriginSchema, OriginTable

_IDLE = frozenset({"extended statistics"})  # kinds of other objects that concern no row


class FollowedParts(msgspec.Struct, frozen=True, kw_only=True):
    """What an origin was like when following began: the document `followed:<db>`."""

    parts: dict[str, str]


def list_parts(schema: OriginSchema, numbers: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the hash of every part by its name: `table s.t`, `column s.t.c`, `view s.v`.

    `numbers` are the server's own of tables and their columns, by `s.t`: a table that was dropped
    and made anew looks the same but for them.
    """
    from edgelift.project import hash_inputs

    return {name: hash_inputs(part) for name, part in _list(schema, numbers or {})}


def _list(schema: OriginSchema, numbers: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    for table in schema.tables:
        number = numbers.get(f"{table.schema}.{table.name}", "")
        yield name_table(table), (_without_columns(table), number)
        for column in table.columns:
            name = f"column {table.schema}.{table.name}.{column.name}"
            yield name, msgspec.structs.replace(column, comment="")
    for view in schema.views:
        yield f"view {view.schema}.{view.name}", msgspec.structs.replace(view, comment="")
    for trigger in schema.triggers:
        yield f"trigger {trigger.schema}.{trigger.table}.{trigger.name}", trigger
    for named in schema.types:
        yield f"type {named.schema}.{named.type.name}", named
    for kind, name in schema.others:
        if kind not in _IDLE:
            yield f"{kind} {name}", ""


def name_table(table: OriginTable) -> str:
    """Return how a table is called among the parts; a partition is one of its own kind."""
    kind = "partition" if table.parent else "table"
    return f"{kind} {table.schema}.{table.name}"


def _without_columns(table: OriginTable) -> object:
    still = msgspec.structs.replace(
        table,
        columns=(),
        indexes=tuple(index for index in table.indexes if index.unique),
        comment="",
        row_estimate=0,
        size_bytes=0,
    )
    return (still, [column.name for column in table.columns])


def describe_changes(
    then: Mapping[str, str], now: Mapping[str, str], passed_over: Iterable[str] = ()
) -> list[str]:
    """Return in words which parts are gone, new or changed; a table's columns speak for it.

    `passed_over` are names of parts that do not count, with all that belongs to them.
    """
    states = {name: "is gone" for name in then if name not in now}
    states |= {name: "is new" for name in now if name not in then}
    states |= {name: "changed" for name in then if now.get(name, then[name]) != then[name]}
    whole = {n for n, state in states.items() if state != "changed" and _is_table(n)}
    hidden = [_place(name) for name in (*whole, *passed_over)]
    found = []
    for name, state in states.items():
        belongs = any(_place(name).startswith(f"{place}.") for place in hidden)
        spoken = (
            _is_table(name)
            and state == "changed"
            and any(
                other.startswith("column ") and _place(other).startswith(f"{_place(name)}.")
                for other in states
            )
        )
        if not (belongs or spoken or name in passed_over):
            found.append(f"{name} {state}")
    return found


def _is_table(name: str) -> bool:
    return name.startswith(("table ", "partition "))


def _place(name: str) -> str:
    """Return what a part is called behind its kind."""
    return name.partition(" ")[2]
