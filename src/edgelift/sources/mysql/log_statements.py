"""What a statement in the binary log means for followed tables: emptied, rows, idle, or unknown.

The log carries DDL as text and nothing else of it. Only forms that surely leave every row alone are
told as idle; what they leave behind the catalogue shows, which is compared after each of them.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

_NAME = r"`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|[^\s`\"'.;,()]+"
_TABLE = rf"(?:(?P<schema>{_NAME})\s*\.\s*)?(?P<table>{_NAME})"
_QUOTES = r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`(?:[^`]|``)*`"
_QUOTED = re.compile(_QUOTES, re.DOTALL)
# A comment that runs (`/*!40005 TEMPORARY */`) is what it says; any other one is a blank.
_TOKEN = re.compile(
    rf"(?P<quoted>{_QUOTES})|/\*M?!\d*(?P<runs>.*?)\*/|/\*.*?\*/|--\s[^\n]*|#[^\n]*", re.DOTALL
)
_FLAGS = re.IGNORECASE | re.DOTALL
_TRUNCATE = re.compile(rf"\s*TRUNCATE\s+(?:TABLE\s+)?{_TABLE}", _FLAGS)
_DATA = re.compile(r"\s*(?:INSERT|UPDATE|DELETE|REPLACE|LOAD)\b", _FLAGS)
_ALTER = re.compile(
    rf"\s*ALTER\s+(?:ONLINE\s+)?(?:IGNORE\s+)?TABLE\s+(?:IF\s+EXISTS\s+)?{_TABLE}\s+(?P<actions>.*)",
    _FLAGS,
)
_DROP = re.compile(r"\s*DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?P<tables>.*)", _FLAGS)
_IDLE = re.compile(
    r"\s*(?:CREATE\s+(?:OR\s+REPLACE\s+)?(?:UNIQUE\s+|FULLTEXT\s+|SPATIAL\s+)?INDEX\b"
    r"|DROP\s+INDEX\b|DROP\s+TEMPORARY\b"
    r"|CREATE\s+TABLE\b"
    r"|(?:CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+)?(?:DEFINER\s*=\s*\S+\s+)?"
    r"(?:FUNCTION|PROCEDURE|EVENT|SEQUENCE|PACKAGE)\b)",
    _FLAGS,
)
# What an ALTER TABLE may do and leave all rows as they are.
_IDLE_ACTION = re.compile(
    r"\s*(?:(?:ADD|DROP)\s+(?:UNIQUE\s+|FULLTEXT\s+|SPATIAL\s+)?(?:INDEX|KEY)\b"
    r"|ADD\s+(?:UNIQUE|FULLTEXT|SPATIAL)\b"
    r"|RENAME\s+(?:INDEX|KEY)\b|ALTER\s+(?:INDEX|KEY)\b|(?:ENABLE|DISABLE)\s+KEYS\b"
    r"|(?:COMMENT|AUTO_INCREMENT|STATS_\w+|ALGORITHM|LOCK|CHECKSUM|ROW_FORMAT|FORCE)\b)",
    _FLAGS,
)
Table = tuple[str, str]


def read_truncate(text: str, schema: str) -> Table | None:
    """Return the table that a statement empties, None when it is no TRUNCATE."""
    found = _TRUNCATE.match(_plain(text))
    if found is None:
        return None
    return _unquote(found["schema"]) if found["schema"] else schema, _unquote(found["table"])


def writes_rows(text: str) -> bool:
    """Return whether a statement wrote rows that the log does not carry as rows."""
    return _DATA.match(_plain(text)) is not None


def is_idle(text: str, schema: str, followed: Container[Table]) -> bool:
    """Return whether a statement surely left every row of the followed tables alone."""
    plain = _plain(text)
    altered = _ALTER.match(plain)
    if altered is not None:
        return all(map(_IDLE_ACTION.match, _split(altered["actions"])))
    dropped = _DROP.match(plain)
    if dropped is not None:
        return not any(name in followed for name in _read_tables(dropped["tables"], schema))
    return _IDLE.match(plain) is not None


def _read_tables(listed: str, schema: str) -> Iterator[Table]:
    for part in _split(listed):
        found = re.match(rf"\s*{_TABLE}", part)
        if found is not None:
            yield _unquote(found["schema"]) if found["schema"] else schema, _unquote(found["table"])


def _plain(text: str) -> str:
    """Return a statement without its comments; quoted parts stay as they are."""
    return _TOKEN.sub(lambda found: found["quoted"] or f" {found['runs'] or ''} ", text)


def _split(text: str) -> Iterator[str]:
    """Yield the parts between commas outside quotes and parentheses."""
    depth, start = 0, 0
    quoted = [found.span() for found in _QUOTED.finditer(text)]
    for at, character in enumerate(text):
        if any(low <= at < high for low, high in quoted):
            continue
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]


def _unquote(name: str) -> str:
    if name.startswith("`"):
        return name[1:-1].replace("``", "`")
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
