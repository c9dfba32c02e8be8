"""Views, triggers, routines, events and sequences of a MySQL or MariaDB database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from edgelift.errors import OriginError
from edgelift.model.origin_schema import (
    OriginColumn,
    OriginRoutine,
    OriginSequence,
    OriginTrigger,
    OriginView,
)
from edgelift.sources.mysql.connection import MySqlSession, quote_name, quote_text

_VIEWS = """
SELECT TABLE_NAME, VIEW_DEFINITION, CHECK_OPTION FROM information_schema.VIEWS
WHERE TABLE_SCHEMA = {schema} ORDER BY TABLE_NAME
"""
_TRIGGERS = """
SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORIENTATION,
  ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = {schema}
ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER
"""
_ROUTINES = """
SELECT ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES
WHERE ROUTINE_SCHEMA = {schema} ORDER BY ROUTINE_NAME, ROUTINE_TYPE
"""
_EVENTS = """
SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {schema} ORDER BY EVENT_NAME
"""


_PARTITIONS = """
SELECT 'partition', CONCAT_WS('.', TABLE_SCHEMA, TABLE_NAME, PARTITION_NAME, SUBPARTITION_NAME)
FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = {schema} AND PARTITION_NAME IS NOT NULL
ORDER BY TABLE_NAME, PARTITION_ORDINAL_POSITION, SUBPARTITION_ORDINAL_POSITION
"""
_COMMENTS = (
    """
SELECT DISTINCT 'comment', CONCAT('index ', TABLE_NAME, '.', INDEX_NAME, ': ', INDEX_COMMENT)
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {schema} AND INDEX_COMMENT <> ''
ORDER BY 2
""",
    """
SELECT 'comment', CONCAT(LOWER(ROUTINE_TYPE), ' ', ROUTINE_NAME, ': ', ROUTINE_COMMENT)
FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {schema} AND ROUTINE_COMMENT <> ''
ORDER BY 2
""",
    """
SELECT 'comment', CONCAT('event ', EVENT_NAME, ': ', EVENT_COMMENT)
FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {schema} AND EVENT_COMMENT <> '' ORDER BY 2
""",
)


def read_views(
    session: MySqlSession, schema: str, columns: dict[str, list[OriginColumn]]
) -> Iterator[OriginView]:
    """Yield the views; raises OriginError for one whose query the user may not see."""
    for name, definition, check in session.read_texts(_VIEWS.format(schema=quote_text(schema))):
        view = name or ""
        if not definition:
            raise OriginError(
                f"The view {schema}.{view} cannot be read",
                why=f"the user {session.place.user} may not see its query",
                tip=f"GRANT SHOW VIEW, SELECT ON `{schema}`.* TO that user",
            )
        yield OriginView(
            schema=schema,
            name=view,
            query=_strip_schema(definition, schema),
            columns=tuple(column.name for column in columns.get(view, ())),
            typed=tuple(columns.get(view, ())),
            check_option="" if check in {None, "NONE"} else (check or "").lower(),
        )


def _strip_schema(query: str, schema: str) -> str:
    """Return a query whose own tables are named without their database, as the server prints it."""
    prefix = f"{quote_name(schema)}."
    pieces = re.split(r"""('(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")""", query)
    return "".join(
        piece if index % 2 else piece.replace(prefix, "") for index, piece in enumerate(pieces)
    )


def read_triggers(session: MySqlSession, schema: str) -> Iterator[OriginTrigger]:
    """Yield the triggers in the order in which they fire; `body` is what they do."""
    for row in session.read_texts(_TRIGGERS.format(schema=quote_text(schema))):
        name, table, timing, event, level, body = (value or "" for value in row)
        yield OriginTrigger(
            schema=schema,
            table=table,
            name=name,
            timing=timing,
            events=(event.lower(),),
            level=level,
            body=body,
        )


def read_routines(session: MySqlSession, schema: str) -> Iterator[OriginRoutine]:
    """Yield functions, procedures, packages and events, as SHOW CREATE prints them.

    `body` is empty where the user may not see it.
    """
    place = quote_name(schema)
    listed = session.read_texts(_ROUTINES.format(schema=quote_text(schema)))
    for name, kind in listed:
        text = _show(session, f"{kind} {place}.{quote_name(name or '')}", 2)
        yield _build_routine(schema, name, (kind or "").lower(), text)
    for (name,) in session.read_texts(_EVENTS.format(schema=quote_text(schema))):
        text = _show(session, f"EVENT {place}.{quote_name(name or '')}", 3)
        yield _build_routine(schema, name, "event", text)


def _build_routine(schema: str, name: str | None, kind: str, body: str) -> OriginRoutine:
    aggregate = kind == "function" and re.search(r"\bFETCH GROUP NEXT ROW\b", body, re.IGNORECASE)
    return OriginRoutine(
        schema=schema,
        name=name or "",
        kind="aggregate" if aggregate else kind,
        language="SQL",
        body=body,
    )


def _show(session: MySqlSession, what: str, position: int) -> str:
    rows: Sequence[Sequence[str | None]] = session.read_texts(f"SHOW CREATE {what}")
    return rows[0][position] or "" if rows else ""


def read_sequences(
    session: MySqlSession, schema: str, names: Sequence[str]
) -> Iterator[OriginSequence]:
    """Yield MariaDB's sequences; values that it cached count as given out."""
    for name in names:
        place = f"{quote_name(schema)}.{quote_name(name)}"
        upcoming, start, increment = session.read_rows(
            f"SELECT next_not_cached_value, start_value, increment FROM {place}"
        )[0]
        yield OriginSequence(
            schema=schema,
            name=name,
            last=None if upcoming == start else int(upcoming) - int(increment),
            start=int(start),
            increment=int(increment),
        )


def list_others(session: MySqlSession, schema: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, name) of partitions, and of comments on what has no place for one here."""
    for sql in (_PARTITIONS, *_COMMENTS):
        for kind, name in session.read_texts(sql.format(schema=quote_text(schema))):
            yield kind or "", name or ""


def read_hidden(session: MySqlSession, schema: str) -> Iterator[tuple[str, str]]:
    """Yield what the user's rights may hide: (kind, what it takes to see it).

    The server leaves out such objects without a word, so their absence proves nothing.
    """
    grants = [row[0] or "" for row in session.read_texts("SHOW GRANTS")]
    rights = _collect_rights(grants, schema)
    if "ALL PRIVILEGES" in rights:
        return
    if "SELECT" not in rights:
        yield "hidden tables", f"GRANT SELECT ON {quote_name(schema)}.*"
    if "TRIGGER" not in rights:
        yield "hidden triggers", f"GRANT TRIGGER ON {quote_name(schema)}.*"
    if "EVENT" not in rights:
        yield "hidden events", f"GRANT EVENT ON {quote_name(schema)}.*"
    if not rights & {"EXECUTE", "ALTER ROUTINE", "SHOW CREATE ROUTINE", "SHOW_ROUTINE"}:
        yield "hidden routines", f"GRANT EXECUTE ON {quote_name(schema)}.*"


_GRANT = re.compile(r"GRANT (.+?) ON (?:TABLE )?(\S+) TO ", re.IGNORECASE)


def _collect_rights(grants: Sequence[str], schema: str) -> set[str]:
    """Return the rights that the grants give on everything or on the database."""
    rights: set[str] = set()
    for grant in grants:
        found = _GRANT.match(grant)
        if found and _covers(found.group(2), schema):
            rights |= {right.strip().upper() for right in found.group(1).split(",")}
    return rights


def _covers(target: str, schema: str) -> bool:
    if target == "*.*":
        return True
    name, _, rest = target.rpartition(".")
    if rest != "*":
        return False
    pattern = re.escape(name.strip("`").replace("\\_", "\0").replace("``", "`"))
    pattern = pattern.replace("%", ".*").replace("_", ".").replace("\\\0", "_").replace("\0", "_")
    return re.fullmatch(pattern, schema, re.IGNORECASE) is not None
