"""Django's functions of text and numbers as SQL; the digests and statistics have none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgelift.worker.sqlite3.expressions import Argument, choose, refuse

# What is put together as zeroblob(n), in bytes.
_LONGEST = 10_000


def _repeat(text: str, count: str) -> str:
    return f"replace(hex(zeroblob(max({count},0))),'00',{text})"


def _choose(arguments: tuple[Argument, ...], valid: str, result: str) -> str:
    missing = " OR ".join(f"{argument.sql} IS NULL" for argument in arguments)
    joined = "||".join(argument.sql for argument in arguments)
    return f"CASE WHEN {missing} THEN NULL WHEN {valid} THEN {result} ELSE {refuse(joined)} END"


def _count(value: str) -> str:
    return f"typeof({value})='integer' AND {value} BETWEEN 0 AND {_LONGEST}"


def repeat(text: Argument, count: Argument) -> str:
    """REPEAT."""
    valid = f"typeof({text.sql})='text' AND {_count(count.sql)}"
    return _choose((text, count), valid, _repeat(text.sql, count.sql))


def pad_left(text: Argument, length: Argument, fill: Argument) -> str:
    """LPAD: cut to the length, or filled before."""
    wanted = f"({length.sql}-length({text.sql}))"
    filled = f"substr({_repeat(fill.sql, length.sql)},1,{wanted})||{text.sql}"
    result = f"iif({wanted}<=0,substr({text.sql},1,{length.sql}),{filled})"
    return _choose((text, length, fill), _pads(text, length, fill), result)


def pad_right(text: Argument, length: Argument, fill: Argument) -> str:
    """RPAD: filled behind, then cut to the length."""
    result = f"substr({text.sql}||{_repeat(fill.sql, length.sql)},1,{length.sql})"
    return _choose((text, length, fill), _pads(text, length, fill), result)


def _pads(text: Argument, length: Argument, fill: Argument) -> str:
    texts = f"typeof({text.sql})='text' AND typeof({fill.sql})='text'"
    return f"{texts} AND {_count(length.sql)}"


def sign(value: Argument) -> str:
    """SIGN: an integer."""
    number = f"typeof({value.sql}) IN ('integer','real')"
    return choose(value.sql, number, f"({value.sql}>0)-({value.sql}<0)")


def cotangent(value: Argument) -> str:
    """COT."""
    number = f"typeof({value.sql}) IN ('integer','real') AND {value.sql}<>0"
    return choose(value.sql, number, f"1/tan({value.sql})")


def exclusive_or(left: Argument, right: Argument) -> str:
    """BITXOR."""
    valid = f"typeof({left.sql})='integer' AND typeof({right.sql})='integer'"
    return _choose((left, right), valid, f"({left.sql}|{right.sql})-({left.sql}&{right.sql})")


# RFC 9562: what follows the 12 digits before the version, in hexadecimal digits.
_VARIANT = (
    "substr(hex(randomblob(2)),2)||substr('89AB',1+(random()&3),1)||substr(hex(randomblob(2)),2)"
)
_REST = f"{_VARIANT}||hex(randomblob(6))"


def make_uuid4() -> str:
    """UUIDV4 (Django 6.1): 32 digits."""
    return f"lower(hex(randomblob(6))||'4'||{_REST})"


def make_uuid7() -> str:
    """UUIDV7 (Django 6.1): 32 digits, the first 12 of them the time in milliseconds."""
    now = "CAST((julianday('now')-2440587.5)*86400000 AS INTEGER)"
    return f"lower(printf('%012x',{now})||'7'||{_REST})"


TEXTS: Mapping[str, Callable[..., str | None]] = {
    "repeat": repeat,
    "lpad": pad_left,
    "rpad": pad_right,
    "sign": sign,
    "cot": cotangent,
    "bitxor": exclusive_or,
    "uuidv4": make_uuid4,
    "uuidv7": make_uuid7,
}
