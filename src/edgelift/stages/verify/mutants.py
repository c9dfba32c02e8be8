"""Altered replies and rows that the comparison must catch: the proof that it bites.

Each kind of alteration is made on the origin's own replies, at a place that neither noise nor a
declared rule covers, and given to the same judge as the target's reply. One that is not caught is a
hole in the proof.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from edgelift.model.catalogue import Catalogue, Table
from edgelift.model.flows import Flow, Reply
from edgelift.sources.sqlite import quote_identifier
from edgelift.sources.sqlite_compare import compare_databases
from edgelift.sources.sqlite_newer import read_past_newer
from edgelift.stages.verify.compare import (
    IGNORED_HEADERS,
    decode_body,
    is_json,
    parse_body,
    read_text,
)
from edgelift.stages.verify.json_diff import Path as JsonPath
from edgelift.stages.verify.json_diff import format_path
from edgelift.stages.verify.noise import Judge
from edgelift.stages.verify.outcome import MutantOutcome

MOST_PER_KIND = 25
# Asks whether a place of this reply is covered by noise or a declared rule.
Covered = Callable[[str], bool]
Mutate = Callable[[Reply, Covered, float], Reply | None]


def check_mutants(
    flow: Flow, replies: Sequence[Reply], make_judge: Callable[[], Judge]
) -> list[MutantOutcome]:
    """Return, for every kind of alteration, how many were made of a flow's replies and caught."""
    outcomes = []
    for kind, mutate in MUTATIONS.items():
        made, survivors = 0, []
        for position in _order_widely(flow, replies):
            if made == MOST_PER_KIND:
                break
            reply, judge = replies[position], make_judge()
            request = flow.requests[position]
            if request.path.startswith(judge.static):
                continue

            def covered(pattern: str, judge: Judge = judge, position: int = position) -> bool:
                return judge.covers(position, flow.requests[position], pattern)

            if reply.error or covered("status") or (reply.cut and kind != "status"):
                continue
            mutant = mutate(reply, covered, judge.tolerance)
            if mutant is None:
                continue
            made += 1
            if not judge.judge(position, request, _rewrite(reply), mutant):
                survivors.append(f"{kind}: {request.label}")
        outcomes.append(
            MutantOutcome(
                kind=kind, made=made, caught=made - len(survivors), survivors=tuple(survivors)
            )
        )
    return outcomes


def _order_widely(flow: Flow, replies: Sequence[Reply]) -> list[int]:
    """Return the positions so that every route and status comes once before any comes twice."""
    seen: Counter[tuple[str, int]] = Counter()
    ranked = []
    for position, (request, reply) in enumerate(zip(flow.requests, replies, strict=True)):
        key = request.route, reply.status
        ranked.append((seen[key], position))
        seen[key] += 1
    return [position for _, position in sorted(ranked)]


def _rewrite(reply: Reply) -> Reply:
    """Return a JSON reply written as the mutants are: only the alteration can be noticed."""
    if not is_json(reply) or not reply.body:
        return reply
    try:
        return _with_body(reply, _dump(parse_body(reply)))
    except ValueError:
        return reply


def _dump(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _with_body(reply: Reply, body: bytes) -> Reply:
    coded = gzip.compress(body) if reply.value("content-encoding").lower() == "gzip" else body
    return msgspec.structs.replace(reply, body=coded)


def _flip_status(reply: Reply, _covered: Covered, _tolerance: float) -> Reply | None:
    return msgspec.structs.replace(reply, status=500 if reply.status != 500 else 200)


def _drop_header(reply: Reply, covered: Covered, _tolerance: float) -> Reply | None:
    for name, _ in reply.headers:
        if name.lower() not in IGNORED_HEADERS and not covered(f"header.{name}"):
            kept = tuple(pair for pair in reply.headers if pair[0] != name)
            return msgspec.structs.replace(reply, headers=kept)
    return None


def _drop_cookie(reply: Reply, covered: Covered, _tolerance: float) -> Reply | None:
    cookies = [
        v for v in reply.values("set-cookie") if not covered(f"cookie.{v.partition('=')[0]}")
    ]
    if not cookies:
        return None
    kept = tuple(p for p in reply.headers if p[0].lower() != "set-cookie" or p[1] != cookies[0])
    return msgspec.structs.replace(reply, headers=kept)


def _drop_compression(reply: Reply, _covered: Covered, _tolerance: float) -> Reply | None:
    if not reply.value("content-encoding"):
        return None
    kept = tuple(p for p in reply.headers if p[0].lower() != "content-encoding")
    return msgspec.structs.replace(reply, headers=kept, body=decode_body(reply))


def _walk(path: JsonPath, value: object) -> Iterator[tuple[JsonPath, object]]:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _walk((*path, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk((*path, index), item)


Change = Callable[[object, float], object | None]


def _json_mutation(change: Change) -> Mutate:
    """Return the mutation that changes the first JSON value for which `change` returns another."""

    def mutate(reply: Reply, covered: Covered, tolerance: float) -> Reply | None:
        if not is_json(reply) or not reply.body:
            return None
        try:
            document = parse_body(reply)
        except ValueError:
            return None
        for path, value in _walk(("body",), document):
            if covered(format_path(path, exact=False)):
                continue
            changed = change(value, tolerance)
            if changed is not None:
                altered = _put(document, path[1:], changed)
                return _with_body(reply, _dump(altered))
        return None

    return mutate


def _put(document: object, path: JsonPath, value: object) -> object:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(document, dict):
        return {k: _put(v, rest, value) if k == step else v for k, v in document.items()}
    assert isinstance(document, list)
    return [_put(item, rest, value) if i == step else item for i, item in enumerate(document)]


def _rename_field(value: object, _tolerance: float) -> object | None:
    if not isinstance(value, dict) or not value:
        return None
    last = list(value)[-1]
    return {(f"{key}_renamed" if key == last else key): item for key, item in value.items()}


def _drop_field(value: object, _tolerance: float) -> object | None:
    return dict(list(value.items())[:-1]) if isinstance(value, dict) and value else None


def _reverse_list(value: object, _tolerance: float) -> object | None:
    if not isinstance(value, list) or value == value[::-1]:
        return None
    return value[::-1]


def _drop_element(value: object, _tolerance: float) -> object | None:
    return value[:-1] if isinstance(value, list) and value else None


def _change_digit(value: object, tolerance: float) -> object | None:
    if type(value) is int:
        return value + 1
    if type(value) is float and value - value == 0:  # finite
        step = max(tolerance * 10, abs(value) * 2**-50, 5e-324)
        return value + step
    return None


def _change_type(value: object, _tolerance: float) -> object | None:
    if type(value) is int:
        return float(value) if abs(value) < 2**53 else str(value)
    return int(value) if type(value) is float and value == int(value or 0) else None


def _change_text(value: object, _tolerance: float) -> object | None:
    return f"{value} " if isinstance(value, str) else None


def _to_null(value: object, _tolerance: float) -> object | None:
    return {} if isinstance(value, str | int | float) else None


def _change_line(reply: Reply, covered: Covered, _tolerance: float) -> Reply | None:
    media = reply.value("content-type").lower()
    if not media.startswith("text/") or "event-stream" in media or covered("body lines"):
        return None
    lines = read_text(reply).splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.strip() and not covered(f"line: {line.rstrip()}"):
            lines[number] = "edgelift " + line
            return _with_body(reply, "".join(lines).encode())
    return None


def _flip_byte(reply: Reply, _covered: Covered, _tolerance: float) -> Reply | None:
    media = reply.value("content-type").lower()
    body = decode_body(reply)
    if not body or is_json(reply) or media.startswith("text/"):
        return None
    return _with_body(reply, bytes([body[0] ^ 1]) + body[1:])


MUTATIONS: dict[str, Mutate] = {
    "changed status": _flip_status,
    "dropped header": _drop_header,
    "dropped cookie": _drop_cookie,
    "dropped compression": _drop_compression,
    "renamed field": _json_mutation(_rename_field),
    "dropped field": _json_mutation(_drop_field),
    "reordered list": _json_mutation(_reverse_list),
    "dropped element": _json_mutation(_drop_element),
    "changed number": _json_mutation(_change_digit),
    "changed type": _json_mutation(_change_type),
    "trailing space": _json_mutation(_change_text),
    "value to object": _json_mutation(_to_null),
    "changed line": _change_line,
    "flipped byte": _flip_byte,
}


def check_row_mutants(database: Path, catalogue: Catalogue, scratch: Path) -> list[MutantOutcome]:
    """Return whether a dropped row and a changed cell are caught, in each table with rows.

    A table of several rows gets both at once, its first row dropped and a cell of its last changed:
    large tables are then read once.
    """
    tables = [table for table in catalogue.tables if table.rows]
    single = [table for table in tables if table.rows == 1]
    several = [table for table in tables if table.rows > 1]
    dropped, changed = MutantOutcome(kind="dropped row"), MutantOutcome(kind="changed cell")
    for drop, change in ((tables, several), ([], single)):
        copy = scratch / "altered.sqlite"
        shutil.copyfile(database, copy)
        with contextlib.closing(sqlite3.connect(copy)) as db:
            read_past_newer(db, copy)
            _prepare(db)
            lost = [table.name for table in drop if _drop_row(db, table)]
            other = [table.name for table in change if _change_cell(db, table)]
            db.commit()
        idle = frozenset((t.name, "*") for t in catalogue.tables if t.name not in {*lost, *other})
        found = {t.table: t for t in compare_databases(database, copy, catalogue, ignore=idle)}
        copy.unlink()
        kinds = {name: {d.kind for d in table.differences} for name, table in found.items()}
        dropped = _count(dropped, {name: "missing row" in kinds[name] for name in lost})
        changed = _count(changed, {name: bool(kinds[name] - {"missing row"}) for name in other})
    return [dropped, changed]


def _count(outcome: MutantOutcome, caught: dict[str, bool]) -> MutantOutcome:
    """Return an outcome with the alterations of some tables added."""
    survivors = tuple(f"{outcome.kind}: {name}" for name, seen in caught.items() if not seen)
    return msgspec.structs.replace(
        outcome,
        made=outcome.made + len(caught),
        caught=outcome.caught + len(caught) - len(survivors),
        survivors=outcome.survivors + survivors,
    )


def _place(table: Table, *, last: bool) -> str:
    """Return the condition that picks the first or the last row of a table."""
    name = quote_identifier(table.name)
    if not table.without_rowid:
        return f"rowid = (SELECT {'max' if last else 'min'}(rowid) FROM {name})"
    columns = [quote_identifier(column) for column in table.primary_key]
    order = ", ".join(f"{column} DESC" if last else column for column in columns)
    keys = ", ".join(columns)
    return f"({keys}) = (SELECT {keys} FROM {name} ORDER BY {order} LIMIT 1)"


def _prepare(db: sqlite3.Connection) -> None:
    """Let an alteration be just that: no trigger, no cascade, no constraint may answer it."""
    db.execute("PRAGMA foreign_keys=OFF")
    db.execute("PRAGMA ignore_check_constraints=ON")
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
        db.execute(f"DROP TRIGGER {quote_identifier(name)}")


def _drop_row(db: sqlite3.Connection, table: Table) -> bool:
    sql = f"DELETE FROM {quote_identifier(table.name)} WHERE {_place(table, last=False)}"
    return db.execute(sql).rowcount == 1


def _change_cell(db: sqlite3.Connection, table: Table) -> bool:
    """Flip the lowest bit of the first byte of a cell, whatever its type; keys are left alone."""
    for column in table.columns:
        if column.primary_key or column.generated:
            continue
        name = quote_identifier(column.name)
        sql = f"UPDATE OR IGNORE {quote_identifier(table.name)} SET {name} = flip({name})"
        db.create_function("flip", 1, flip_value)
        if db.execute(f"{sql} WHERE {_place(table, last=True)}").rowcount == 1:
            return True
    return False


def flip_value(value: str | bytes | float | None) -> str | bytes | float | None:
    """Return a value of the same type that differs as little as it can."""
    if isinstance(value, str):
        return (chr(ord(value[0]) ^ 1) + value[1:]) if value else "\x01"
    if isinstance(value, bytes):
        return (bytes([value[0] ^ 1]) + value[1:]) if value else b"\x01"
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, float):
        return value + abs(value) * 2**-50 + 5e-324
    return 0
