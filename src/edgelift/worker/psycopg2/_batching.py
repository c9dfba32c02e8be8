"""Bulk execution for psycopg2: many argument lists in few round trips."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from ._adapting import codec_of
from ._formatting import read_statement


def _paginate(seq: Iterable[Any], page_size: int) -> Iterator[list[Any]]:
    source = iter(seq)
    while page := list(itertools.islice(source, page_size)):
        yield page


def execute_batch(cur: Any, sql: Any, argslist: Iterable[Any], page_size: int = 100) -> None:
    """Run a statement for each of the arguments, `page_size` of them joined by ";"."""
    for page in _paginate(argslist, page_size):
        cur.execute(b";".join(cur.mogrify(sql, arguments) for arguments in page))


def execute_values(
    cur: Any,
    sql: Any,
    argslist: Iterable[Any],
    template: Any = None,
    page_size: int = 100,
    fetch: bool = False,
) -> list[Any] | None:
    """Run a statement whose single %s becomes lists of VALUES, `page_size` rows at a time."""
    statement = read_statement(sql, cur.connection)
    before, after = _split(statement)
    codec = codec_of(cur.connection)
    if isinstance(template, str):
        template = template.encode(codec)
    found: list[Any] | None = [] if fetch else None
    for page in _paginate(argslist, page_size):
        if template is None:
            template = b"(" + b",".join([b"%s"] * len(page[0])) + b")"
        rows = b",".join(cur.mogrify(template, arguments) for arguments in page)
        cur.execute(before + rows + after)
        if found is not None:
            found += cur.fetchall()
    return found


def _split(sql: bytes) -> tuple[bytes, bytes]:
    """Return the parts before and after the one %s, with "%%" as "%"."""
    parts: list[list[bytes]] = [[]]
    position = 0
    while True:
        mark = sql.find(b"%", position)
        if mark < 0:
            parts[-1].append(sql[position:])
            break
        parts[-1].append(sql[position:mark])
        kind = sql[mark + 1 : mark + 2]
        if kind == b"s":
            parts.append([])
        elif kind == b"%":
            parts[-1].append(b"%")
        else:
            shown = kind.decode("latin-1")
            raise ValueError(f"unsupported format character: '{shown}'")
        position = mark + 2
    if len(parts) == 1:
        raise ValueError("the query doesn't contain any '%s' placeholder")
    if len(parts) > 2:
        raise ValueError("the query contains more than one '%s' placeholder")
    return b"".join(parts[0]), b"".join(parts[1])
