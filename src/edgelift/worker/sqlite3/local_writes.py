"""Runs writes that call Python: what they compute is read from a copy, what they change is sent.

An INSERT gets the rows of its source as values; an UPDATE or DELETE gets the row ids its WHERE
finds, and an UPDATE the values it sets where these call Python too. Constraints, conflict clauses,
triggers, cascades and RETURNING stay with the database.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from edgelift.worker.sqlite3.callbacks import Callbacks
from edgelift.worker.sqlite3.errors import NotSupportedError, OperationalError
from edgelift.worker.sqlite3.execution import Outcome, Plan, read_plan, run_each
from edgelift.worker.sqlite3.fitting import LARGEST_PARAMETERS
from edgelift.worker.sqlite3.local_copy import run_locally
from edgelift.worker.sqlite3.statement import MAX_NUMBER, Statement, parse
from edgelift.worker.sqlite3.tokens import quote_text, skip_parentheses, split_at
from edgelift.worker.sqlite3.transport import Database
from edgelift.worker.sqlite3.values import Value

_SOURCES = frozenset({"SELECT", "VALUES", "WITH"})


def run_write_locally(
    database: Database, callbacks: Callbacks, plan: Plan, values: Sequence[Value]
) -> Outcome:
    """Run a write with what it calls in Python; raises NotSupportedError where that cannot be."""
    source = plan.source
    if source.returning is not None:
        tail = parse(f"SELECT {source.text(source.returning + 1, len(source.tokens))}")
        if callbacks.names_in(tail):
            raise _refuse(callbacks, source, "in RETURNING")
    if source.verb in {"INSERT", "REPLACE"}:
        return _insert(database, callbacks, source, values)
    return _change(database, callbacks, source, values)


def number_text(statement: Statement, start: int, end: int) -> str:
    """Return the text of a range of tokens with its parameters as ?1, ?2, ..."""
    if start >= end:
        return ""
    tokens, parts = statement.tokens, []
    position = tokens[start].start
    for slot in statement.slots:
        if start <= slot.token < end:
            token = tokens[slot.token]
            parts += [statement.sql[position : token.start], f"?{slot.number}"]
            position = token.end
    return "".join([*parts, statement.sql[position : tokens[end - 1].end]])


def _insert(
    database: Database, callbacks: Callbacks, source: Statement, values: Sequence[Value]
) -> Outcome:
    start, end = _find_source(source)
    query = parse(f"{_with(source)}{number_text(source, start, end)}")
    rows = run_locally(database, callbacks, query, values).rows
    head = number_text(source, source.main, start)
    tail = number_text(source, end, len(source.tokens))
    known = list(values)
    width = len(rows[0]) if rows else 1
    group = max(1, (MAX_NUMBER - len(known)) // width - LARGEST_PARAMETERS)
    total = Outcome(changes=0)
    for first in range(0, len(rows), group) or (0,):
        part = rows[first : first + group]
        numbers = iter(range(len(known) + 1, MAX_NUMBER))
        listed = ", ".join(f"({_marks(numbers, len(row))})" for row in part)
        filled = f"VALUES {listed}" if part else "SELECT NULL WHERE 0"
        cells = [cell for row in part for cell in row]
        done = run_each(
            database, Plan(f"{head} {filled} {tail}"), [[*known, *cells]] if part else []
        )
        total.names, total.last_rowid = done.names, done.last_rowid
        total.rows += done.rows
        total.changes = (total.changes or 0) + (done.changes or 0)
        total.total_changes += done.total_changes
    return total


def _marks(numbers: Iterator[int], count: int) -> str:
    return ", ".join(f"?{next(numbers)}" for _ in range(count))


def _with(source: Statement) -> str:
    """Return the WITH clause before a write's verb, with a space behind it."""
    return f"{number_text(source, 0, source.main)} " if source.main else ""


def _find_source(source: Statement) -> tuple[int, int]:
    """Return the tokens of the query or VALUES that an INSERT takes its rows from."""
    tokens = list(source.tokens)
    into = source.find_word("INTO", source.main)
    start = (into if into is not None else source.main) + 1
    while start < len(tokens) and tokens[start].upper not in _SOURCES:
        start = skip_parentheses(tokens, start) if tokens[start].text == "(" else start + 1
    depth = 0
    for end in range(start, len(tokens)):
        depth += (tokens[end].text == "(") - (tokens[end].text == ")")
        following = tokens[end + 1].upper if end + 1 < len(tokens) else ""
        conflict = tokens[end].upper == "ON" and following == "CONFLICT"
        if depth == 0 and (conflict or end == source.returning):
            return start, end
    return start, len(tokens)


def _change(
    database: Database, callbacks: Callbacks, source: Statement, values: Sequence[Value]
) -> Outcome:
    """Run an UPDATE or DELETE on the rows that a copy tells."""
    last = source.returning if source.returning is not None else len(source.tokens)
    where = source.find_word("WHERE", source.main, last)
    end = where if where is not None else last
    condition = number_text(source, end, last)
    tail = number_text(source, last, len(source.tokens))
    first_set = source.find_word("SET", source.main, end) if source.verb == "UPDATE" else None
    table, name = _read_target(source, first_set if first_set is not None else end)
    head = number_text(source, source.main, first_set if first_set is not None else end)
    if first_set is None:
        ids = _read_ids(database, callbacks, source, values, f"{table} {condition}", name)
        return _run_on(database, f"{head} WHERE {_among(name, ids)} {tail}", values)
    joined = _find_from(source, first_set, end)
    more = f", {number_text(source, joined + 1, end)}" if joined is not None else ""
    set_end = joined if joined is not None else end
    setting = parse(f"SELECT {source.text(first_set + 1, set_end)}")
    if joined is None and condition and not callbacks.names_in(setting):
        ids = _read_ids(database, callbacks, source, values, f"{table} {condition}", name)
        text = number_text(source, first_set, set_end)
        return _run_on(database, f"{head} {text} WHERE {_among(name, ids)} {tail}", values)
    pairs = [
        _read_assignment(callbacks, source, a, b)
        for a, b in split_at(list(source.tokens), ",", first_set + 1, set_end)
    ]
    wanted = ", ".join(f"({number_text(source, a, b)})" for _, a, b in pairs)
    origin = f"{table}{more} {condition}"
    rows = _read_rows(database, callbacks, source, values, f"{name}.rowid, {wanted} FROM {origin}")
    sets = ", ".join(f"{column} = ?{number}" for number, (column, _, _) in enumerate(pairs, 1))
    write = f"{head} SET {sets} WHERE {name}.rowid = ?{len(pairs) + 1} {tail}"
    unique = {row[0]: [*row[1:], row[0]] for row in reversed(rows)}
    return run_each(database, Plan(write), list(reversed(unique.values())))


def _run_on(database: Database, sql: str, values: Sequence[Value]) -> Outcome:
    return run_each(database, read_plan(sql), [values])


def _among(name: str, ids: Sequence[Value]) -> str:
    return f"{name}.rowid IN (SELECT value FROM json_each({quote_text(json.dumps(ids))}))"


def _read_ids(
    database: Database,
    callbacks: Callbacks,
    source: Statement,
    values: Sequence[Value],
    origin: str,
    name: str,
) -> list[Value]:
    rows = _read_rows(database, callbacks, source, values, f"{name}.rowid FROM {origin}")
    return [row[0] for row in rows]


def _read_rows(
    database: Database,
    callbacks: Callbacks,
    source: Statement,
    values: Sequence[Value],
    wanted: str,
) -> list[tuple[Value, ...]]:
    query = parse(f"{_with(source)}SELECT {wanted}")
    try:
        return run_locally(database, callbacks, query, values).rows
    except OperationalError as error:
        if ".rowid" in str(error):
            raise _refuse(callbacks, source, "the table has no row ids") from error
        raise


def _read_target(source: Statement, end: int) -> tuple[str, str]:
    """Return the changed table as FROM names it, and what its columns are qualified with."""
    tokens = source.tokens
    index = source.main + 1
    if tokens[index].upper == "OR":
        index += 2
    if tokens[index].upper == "FROM":
        index += 1
    stop = end
    for place in range(index, end):
        if tokens[place].upper in {"INDEXED", "NOT"}:
            stop = place
            break
    return source.text(index, stop), tokens[stop - 1].text


def _find_from(source: Statement, start: int, end: int) -> int | None:
    """Return the token FROM of an UPDATE, None without one."""
    depth = 0
    for index in range(start, end):
        token = source.tokens[index]
        depth += (token.text == "(") - (token.text == ")")
        distinct = source.tokens[index - 1].upper == "DISTINCT"
        if depth == 0 and token.upper == "FROM" and not distinct:
            return index
    return None


def _read_assignment(
    callbacks: Callbacks, source: Statement, start: int, end: int
) -> tuple[str, int, int]:
    """Return the column an assignment sets, and the tokens of its value."""
    if source.tokens[start].text == "(":
        raise _refuse(callbacks, source, "several columns are set at once")
    return source.tokens[start].text, start + 2, end


def _refuse(callbacks: Callbacks, source: Statement, reason: str) -> NotSupportedError:
    names = ", ".join(callbacks.names_in(source)) or source.verb
    return NotSupportedError(f"{names} is registered in Python, which D1 cannot call: {reason}")
