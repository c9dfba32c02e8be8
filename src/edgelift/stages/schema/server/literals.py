"""Literals of the origin in the form that rows are written in: numbers, dates, UUIDs, bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

from sqlglot import exp

from edgelift.stages.schema.server.scope import Scope, UnconvertibleError

Node = exp.Expr


def write_text(value: str) -> Node:
    """Return a text literal."""
    return exp.Literal.string(value)


def write_number(value: str) -> Node:
    """Return a number literal, a negative one with its sign as SQLite parses it."""
    if value.startswith("-"):
        return exp.Neg(this=exp.Literal.number(value[1:]))
    return exp.Literal.number(value.removeprefix("+"))


TYPE = exp.DataType.Type
KINDS = {
    **dict.fromkeys((TYPE.TEXT, TYPE.VARCHAR, TYPE.CHAR, TYPE.NCHAR, TYPE.NVARCHAR,
                     TYPE.BPCHAR, TYPE.NAME, TYPE.LONGTEXT, TYPE.MEDIUMTEXT,
                     TYPE.USERDEFINED, TYPE.ENUM, TYPE.INET, TYPE.XML, TYPE.BIT,
                     TYPE.CHARACTER_SET), "text"),
    **dict.fromkeys((TYPE.INT, TYPE.BIGINT, TYPE.SMALLINT, TYPE.TINYINT, TYPE.UINT,
                     TYPE.UBIGINT), "integer"),
    **dict.fromkeys((TYPE.DECIMAL, TYPE.DOUBLE, TYPE.FLOAT, TYPE.MONEY), "number"),
    **dict.fromkeys((TYPE.TIMESTAMP, TYPE.TIMESTAMPTZ, TYPE.DATETIME, TYPE.TIMESTAMPNTZ,
                     TYPE.TIMESTAMPLTZ), "timestamp"),
    **dict.fromkeys((TYPE.JSON, TYPE.JSONB), "json"),
    TYPE.BOOLEAN: "boolean", TYPE.DATE: "date", TYPE.TIME: "time", TYPE.UUID: "uuid",
    TYPE.ARRAY: "json", TYPE.VARBINARY: "blob", TYPE.BLOB: "blob",
}  # fmt: skip


def write_literal(text: str, kind: str, scope: Scope) -> Node:
    """Return a text of the origin as a literal of a kind, in the form the rows are written in."""
    writer = _LITERALS.get(kind)
    return writer(text, scope) if writer else write_text(text)


def _write_number(text: str, _scope: Scope) -> Node:
    if not re.fullmatch(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", text):
        raise UnconvertibleError(f"{text!r} is no number that SQLite has")
    return write_number(text.strip())


def _write_boolean(text: str, _scope: Scope) -> Node:
    word = text.strip().lower()
    if word in {"t", "true", "y", "yes", "on", "1"}:
        return write_number("1")
    if word in {"f", "false", "n", "no", "off", "0"}:
        return write_number("0")
    raise UnconvertibleError(f"{text!r} is neither true nor false")


def _read_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UnconvertibleError(f"{text!r} is no date that SQLite's rows can hold") from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _write_date(text: str, _scope: Scope) -> Node:
    return write_text(_read_moment(text).date().isoformat())


def _write_timestamp(text: str, scope: Scope) -> Node:
    moment = _read_moment(text)
    if scope.timestamps in {"unix", "unix_ms"}:
        micros = (moment - datetime(1970, 1, 1)) // datetime.resolution  # noqa: DTZ001 - both UTC
        scale = 1_000_000 if scope.timestamps == "unix" else 1_000
        if micros % scale:
            raise UnconvertibleError(f"{text!r} has parts that the chosen style cannot hold")
        return write_number(str(micros // scale))
    digits = "" if scope.timestamps == "django" and not moment.microsecond else ".%f"
    return write_text(moment.strftime(f"%Y-%m-%d %H:%M:%S{digits}"))


def _write_uuid(text: str, scope: Scope) -> Node:
    plain = text.strip().lower().replace("-", "")
    if not re.fullmatch("[0-9a-f]{32}", plain):
        raise UnconvertibleError(f"{text!r} is no UUID")
    if scope.uuid == "blob":
        return exp.HexString(this=plain)
    dashed = f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}"
    return write_text(plain if scope.uuid == "hex" else dashed)


def _write_blob(text: str, scope: Scope) -> Node:
    if scope.dialect == "postgres" and text.startswith("\\x"):
        return exp.HexString(this=text[2:].upper())
    return exp.HexString(this=text.encode().hex().upper())


def write_json(text: str, scope: Scope, element: str = "text") -> Node:
    """Return an array's text as JSON, its elements of a kind; other texts as they are."""
    if scope.dialect == "postgres" and re.fullmatch(r"\{[^{}\"\\]*\}", text):
        items = [item.strip() for item in text[1:-1].split(",") if item.strip()]
        if element in {"integer", "number", "boolean"}:
            return write_text(f"[{', '.join(_write_item(i, element, scope) for i in items)}]")
        return write_text(json.dumps([None if i.upper() == "NULL" else i for i in items]))
    return write_text(text)


def _write_item(item: str, element: str, scope: Scope) -> str:
    if item.upper() == "NULL":
        return "null"
    number = write_literal(item, element, scope).sql("sqlite")
    return {"1": "true", "0": "false"}[number] if element == "boolean" else number


_LITERALS: dict[str, Callable[[str, Scope], Node]] = {
    "integer": _write_number,
    "number": _write_number,
    "boolean": _write_boolean,
    "date": _write_date,
    "timestamp": _write_timestamp,
    "uuid": _write_uuid,
    "blob": _write_blob,
}
