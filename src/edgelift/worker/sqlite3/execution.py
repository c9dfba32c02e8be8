"""Runs one parsed statement: from a plan and values to names, rows and counters."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from edgelift.worker.sqlite3.errors import DataError, Error, OperationalError
from edgelift.worker.sqlite3.fitting import LARGEST_SQL_BYTES, Fitted, fit
from edgelift.worker.sqlite3.rewrite import (
    COUNTERS,
    QUERY_NAME,
    adapt_text,
    count_columns,
    flatten_rows,
    merge_names,
    read_names,
    rolls_back,
    wrap_query,
    wrap_returning,
)  # fmt: skip
from edgelift.worker.sqlite3.statement import (
    KEPT_TEXTS,
    LONGEST_KEPT_TEXT,
    Statement,
    parse,
)  # fmt: skip
from edgelift.worker.sqlite3.transport import (
    GROUP,
    JSON,
    RAW,
    RUN,
    Answer,
    Asked,
    Database,
    Result,
)  # fmt: skip
from edgelift.worker.sqlite3.values import Value

# What wrap_query puts around a query of 100 columns, the most D1 returns.
_WRAPPING_BYTES = 20_000
# One batch of executemany; D1 holds a request's whole text in memory.
_BATCH_STATEMENTS = 1_000
_BATCH_BYTES = 8_000_000
_SCHEMA_VERBS = frozenset({"CREATE", "DROP", "ALTER", "ATTACH", "DETACH", "REINDEX", "ANALYZE"})
_WRONG_COUNT = re.compile(rf"table {QUERY_NAME} has \d+ values for \d+ columns")
_SYNTAX = re.compile(rf"syntax error|incomplete input|unrecognized token|{QUERY_NAME}")


@dataclass
class Outcome:
    """What a statement did; `names` is None without a result, `changes` without a write."""

    names: list[str] | None = None
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    changes: int | None = None
    total_changes: int = 0
    last_rowid: int | None = None

    def named_by(self, plan: Plan) -> Outcome:
        """Return it with the names that the plan's own text gives the columns."""
        if self.names is not None and plan.source.columns:
            self.names = merge_names(plan.source, self.names)
        return self


class Plan:
    """What is known of a statement before any value is there; kept per SQL text."""

    def __init__(self, sql: str) -> None:
        self.source = parse(sql)
        self.target = adapt_text(self.source)
        is_query = self.source.is_query
        self.names = read_names(self.source) if is_query else None
        self.count = count_columns(self.source) if is_query else None
        tokens = self.source.tokens
        self.rolls_back = any(rolls_back(tokens, index) for index in range(min(len(tokens), 8)))
        # Set once the rows did not fit into one cell.
        self.large = False
        limit = self.target.find_word("LIMIT", self.target.main) if is_query else None
        text = self.target.sql
        self._head = text if limit is None else text[: self.target.tokens[limit].start].rstrip()

    def names_query(self, values: Sequence[Value]) -> Fitted:
        """Return the query that gives no row but the names D1 gives the columns."""
        fitted = fit(parse(self._head), values, _QUERY_ROOM)[0]
        return Fitted(f"{fitted.sql} LIMIT 0", fitted.parameters)


_QUERY_ROOM = LARGEST_SQL_BYTES - _WRAPPING_BYTES
_read_plan_once = functools.lru_cache(maxsize=KEPT_TEXTS)(Plan)


def read_plan(sql: str) -> Plan:
    """Return the plan of a statement, kept from its last run unless it is very long."""
    return Plan(sql) if len(sql) > LONGEST_KEPT_TEXT else _read_plan_once(sql)


def run_query(database: Database, plan: Plan, values: Sequence[Value]) -> Outcome:
    """Run a SELECT or VALUES; one D1 call once the names of its columns are known.

    Raises the DB-API error of what D1 says, with the message SQLite has for the statement itself.
    """
    query = fit(plan.target, values, _QUERY_ROOM)[0]
    known = plan.names or database.names.get(plan.source.sql)
    try:
        try:
            return _read_rows(database, plan, query, known, values)
        except OperationalError as error:
            if not _WRONG_COUNT.search(str(error)):
                raise
            database.forget()
            return _read_rows(database, plan, query, _ask_names(database, plan, values), values)
    except OperationalError as error:
        if _SYNTAX.search(str(error)):
            # The message may speak of the wrapping: let the bare statement fail.
            database.ask([(Fitted(f"EXPLAIN {query.sql}", query.parameters), RAW)])
        raise


def _read_rows(
    database: Database, plan: Plan, query: Fitted, names: list[str] | None, values: Sequence[Value]
) -> Outcome:
    wanted = None
    if names is None:
        if plan.count is None:
            names = _ask_names(database, plan, values)
        else:
            wanted = plan.names_query(values)
    count = len(names) if names is not None else plan.count or 0
    answer = _ask_rows(database, plan, query, count, wanted)
    if names is None:
        names = merge_names(plan.source, answer.names or [])
        database.learn(plan.source.sql, names)
    return Outcome(names, flatten_rows(answer.results[0].rows, count))


def _ask_rows(
    database: Database, plan: Plan, query: Fitted, count: int, wanted: Fitted | None
) -> Answer:
    """Ask for all rows in one cell where the database offers that, else for a cell each."""
    if database.groups and not plan.large:
        wrapped = Fitted(wrap_query(query.sql, count, grouped=True), query.parameters)
        try:
            return database.ask([(wrapped, GROUP)], wanted)
        except DataError as error:
            if getattr(error, "sqlite_errorname", "") != "SQLITE_TOOBIG":
                raise
            plan.large = True
    wrapped = Fitted(wrap_query(query.sql, count), query.parameters)
    return database.ask([(wrapped, JSON)], wanted)


def _ask_names(database: Database, plan: Plan, values: Sequence[Value]) -> list[str]:
    answer = database.ask([(plan.names_query(values), RAW)])
    names = merge_names(plan.source, answer.results[0].columns)
    database.learn(plan.source.sql, names)
    return names


def _prepare_write(database: Database, plan: Plan) -> tuple[Statement, list[str] | None]:
    """Return the text to run and the names of the RETURNING clause, None without one."""
    if plan.target.returning is None:
        return plan.target, None
    sql = plan.source.sql
    if sql not in database.returning:
        database.returning[sql] = wrap_returning(
            plan.target, lambda table: [name for name, _ in database.read_table(table)]
        )
    return database.returning[sql]


def run_write(database: Database, plan: Plan, values: Sequence[Value]) -> Outcome:
    """Run an INSERT, REPLACE, UPDATE or DELETE with its counters as one atomic batch."""
    return run_each(database, plan, [values])


def run_each(database: Database, plan: Plan, rows: Sequence[Sequence[Value]]) -> Outcome:
    """Run a write for each list of values, all of them or none, with its counters and results."""
    statement, names = _prepare_write(database, plan)
    if not rows:
        return Outcome(names, changes=0)
    pieces = [piece for values in rows for piece in fit(statement, values)]
    try:
        asked = _with_counters(database, pieces, RUN if names is None else JSON)
        results = database.ask(asked, writes=True).results
    except Error:
        database.partial = []  # taken back with the one that failed
        raise
    outcome = _sum_up(database, results)
    if names is not None:
        outcome.names = names
        writes = results if database.counts else results[::2]
        found = itertools.chain.from_iterable(result.rows for result in writes)
        outcome.rows = flatten_rows(found, len(names))
    return outcome


def run_many(database: Database, plan: Plan, rows: Sequence[Sequence[Value]]) -> Outcome:
    """Run a write once for each list of values, in messages of up to 1,000 statements.

    In D1 each of them is atomic; in a SQL object, as in SQLite, what went before a failure stays.
    """
    statement, _ = _prepare_write(database, plan)
    outcome = Outcome(changes=0)
    batch: list[Fitted] = []
    size = 0
    for values in rows:
        for piece in fit(statement, values):
            length = len(piece.sql) + sum(len(str(value)) for value in piece.parameters)
            if batch and (len(batch) >= _BATCH_STATEMENTS or size + length > _BATCH_BYTES):
                add_outcome(outcome, _run_batch(database, batch))
                batch, size = [], 0
            batch.append(piece)
            size += length
    if batch:
        add_outcome(outcome, _run_batch(database, batch))
    return outcome


def _run_batch(database: Database, batch: Sequence[Fitted]) -> Outcome:
    asked = _with_counters(database, batch, RUN)
    return _sum_up(database, database.ask(asked, writes=True, atomic=False).results)


def sum_up_partial(database: Database) -> Outcome:
    """Return what the statements before a failed one did, once."""
    results, database.partial = database.partial, []
    whole = results if database.counts else results[: len(results) // 2 * 2]
    return _sum_up(database, whole) if whole else Outcome(changes=0)


def _with_counters(database: Database, pieces: Sequence[Fitted], form: str) -> list[Asked]:
    """Return each statement, in D1 followed by its counters.

    The changes in D1's own meta include those of triggers and cascades.
    """
    if database.counts:
        return [(piece, form) for piece in pieces]
    counters: Asked = (Fitted(COUNTERS, []), JSON)
    return [asked for piece in pieces for asked in ((piece, form), counters)]


def _sum_up(database: Database, results: Sequence[Result]) -> Outcome:
    if database.counts:
        writes, counters = results, [result.meta["counters"] for result in results]
    else:
        writes, counters = results[::2], [result.rows[0] for result in results[1::2]]
    changes = sum(changed for changed, _ in counters)
    total = sum(result.meta.get("changes", 0) for result in writes)
    return Outcome(changes=changes, total_changes=max(total, changes), last_rowid=counters[-1][1])


def add_outcome(total: Outcome, part: Outcome) -> None:
    """Count what a part did in the total."""
    total.changes = (total.changes or 0) + (part.changes or 0)
    total.total_changes += part.total_changes
    total.last_rowid = part.last_rowid


def run_other(database: Database, plan: Plan, values: Sequence[Value]) -> Outcome:
    """Run a schema statement, EXPLAIN or PRAGMA that the database itself answers."""
    changes = plan.source.first in _SCHEMA_VERBS
    result = database.ask([(fit(plan.target, values)[0], RAW)], writes=changes).results[0]
    if changes:
        database.forget()
    rows = [tuple(row) for row in result.rows]
    return Outcome(result.columns or None, rows)


def run_script(database: Database, statements: Sequence[str], *, commits: bool = False) -> Outcome:
    """Run statements without values, schema statements among them; in D1 as atomic batches.

    With `commits` the open transaction of a SQL object is committed with the last of them.
    """
    plans = [read_plan(sql) for sql in statements]
    outcome = Outcome(changes=0)
    for start in range(0, len(plans), _BATCH_STATEMENTS):
        batch: list[Asked] = [
            (Fitted(plan.target.sql, []), RUN) for plan in plans[start : start + _BATCH_STATEMENTS]
        ]
        asked = batch if database.counts else [*batch, (Fitted(COUNTERS, []), JSON)]
        is_last = start + _BATCH_STATEMENTS >= len(plans)
        answer = database.ask(asked, writes=True, atomic=False, commits=commits and is_last)
        outcome.total_changes += sum(r.meta.get("changes", 0) for r in answer.results[: len(batch)])
        last = answer.results[-1]
        outcome.last_rowid = (last.meta["counters"] if database.counts else last.rows[0])[1]
    database.forget()
    return outcome
