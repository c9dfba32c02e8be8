"""Do at the target what foreign keys did at an origin that does not log it (MySQL's InnoDB).

The rows that go or change may have others that refer to them: those follow in turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import apsw

from edgelift.sources.change_feed import ACTING, Action, Cascade, Key
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.targets.door.batches import Request, bind_columns


def run_cascades(
    db: apsw.Connection, cascades: Iterable[Cascade], actions: Sequence[Action]
) -> None:
    """Remove or change the rows that referred to a row, in the order in which it happened.

    `actions` are those of all tables. Errors of apsw go through.
    """
    for cascade in cascades:
        waiting = [cascade]
        while waiting:
            waiting += _run(db, waiting.pop(), actions)


def _run(db: apsw.Connection, cascade: Cascade, actions: Sequence[Action]) -> list[Cascade]:
    """Run one action and return those that follow from it."""
    action = cascade.action
    kind = action.on_delete if cascade.new is None else action.on_update
    child = f"main.{quote_identifier(action.child)}"
    where = " AND ".join(f"{quote_identifier(name)} = ?" for name in action.child_columns)
    if kind == "CASCADE" and cascade.new is None:
        found = list(_find_removed(db, cascade, actions, where))
        db.execute(f"DELETE FROM {child} WHERE {where}", cascade.old)
        return found
    new: Key = (None,) * len(cascade.old)
    if kind == "CASCADE" and cascade.new is not None:
        new = cascade.new
    found = list(_find_changed(db, cascade, new, actions, where))
    sets = ", ".join(f"{quote_identifier(name)} = ?" for name in action.child_columns)
    db.execute(f"UPDATE {child} SET {sets} WHERE {where}", (*new, *cascade.old))
    return found


def _find_removed(
    db: apsw.Connection, cascade: Cascade, actions: Sequence[Action], where: str
) -> Iterator[Cascade]:
    """Yield what follows when the rows that refer to a row go."""
    for below in actions:
        if below.parent == cascade.action.child and below.on_delete in ACTING:
            for old in _read(db, below, where, cascade.old):
                yield Cascade(below, old, None)


def _find_changed(
    db: apsw.Connection, cascade: Cascade, new: Key, actions: Sequence[Action], where: str
) -> Iterator[Cascade]:
    """Yield what follows when the columns change by which rows refer to a row."""
    changed = dict(zip(cascade.action.child_columns, new, strict=True))
    for below in actions:
        touched = changed.keys() & set(below.parent_columns)
        if below.parent == cascade.action.child and below.on_update in ACTING and touched:
            for old in _read(db, below, where, cascade.old):
                values = zip(below.parent_columns, old, strict=True)
                yield Cascade(below, old, tuple(changed.get(name, v) for name, v in values))


def _read(db: apsw.Connection, below: Action, where: str, old: Key) -> list[Key]:
    """Return the values by which others refer to the rows that refer to a row."""
    columns = ", ".join(map(quote_identifier, below.parent_columns))
    query = f"SELECT {columns} FROM main.{quote_identifier(below.parent)} WHERE {where}"
    return [row for row in db.execute(query, old) if None not in row]


def write_moves(
    cascades: Iterable[Cascade], keys: Mapping[str, tuple[str, ...]]
) -> Iterator[Request]:
    """Yield what removes rows and changes keys in place, so that the target's own keys act."""
    for cascade in cascades:
        action = cascade.action
        if cascade.new is None:
            where, values = _write_condition(action.parent_columns, cascade.old)
            yield Request(f"DELETE FROM {quote_identifier(action.parent)} WHERE {where}", values)
        elif set(action.parent_columns) & set(keys[action.parent]):
            yield _write_change(action.parent, action.parent_columns, cascade.old, cascade.new)


def write_cascades(cascades: Iterable[Cascade]) -> Iterator[Request]:
    """Yield what removes or changes the rows that referred to a row, in their order.

    What follows from that in turn the target's own foreign keys do.
    """
    for cascade in cascades:
        action = cascade.action
        kind = action.on_delete if cascade.new is None else action.on_update
        if kind == "CASCADE" and cascade.new is None:
            where, values = _write_condition(action.child_columns, cascade.old)
            yield Request(f"DELETE FROM {quote_identifier(action.child)} WHERE {where}", values)
            continue
        new: Key = (None,) * len(cascade.old)
        if kind == "CASCADE" and cascade.new is not None:
            new = cascade.new
        yield _write_change(action.child, action.child_columns, cascade.old, new)


def _write_change(table: str, columns: Sequence[str], old: Key, new: Key) -> Request:
    sets, given = bind_columns(columns, new, "{name} = {mark}", ", ")
    where, known = _write_condition(columns, old)
    return Request(f"UPDATE {quote_identifier(table)} SET {sets} WHERE {where}", (*given, *known))


def _write_condition(columns: Sequence[str], old: Key) -> tuple[str, Key]:
    return bind_columns(columns, old, "{name} = {mark}", " AND ")
