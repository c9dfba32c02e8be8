"""COPY for asyncpg: the statements, where data comes from and where it goes."""

from __future__ import annotations

import contextlib
import inspect
import os
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from .codecs import Codecs
from .exceptions import InternalClientError

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_PART = 524288
_NULL = struct.pack("!i", -1)


def quote_ident(name: str) -> str:
    """Return an identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Return a string literal."""
    return "'" + text.replace("'", "''") + "'"


def build_options(options: dict[str, Any]) -> str:
    """Return COPY's options in parentheses; those that are None are left out."""
    parts = []
    for name in ("format", "oids", "freeze", "delimiter", "null", "header", "quote", "escape"):
        value = options.get(name)
        if value is None:
            continue
        shown = quote_literal(str(value)) if name not in {"oids", "freeze", "header"} else (
            "TRUE" if value else "FALSE"
        )  # fmt: skip
        parts.append(f"{name.upper()} {value if name == 'format' else shown}")
    for name in ("force_quote", "force_not_null", "force_null"):
        value = options.get(name)
        if value is None:
            continue
        listed = "*" if value is True else f"({', '.join(map(quote_ident, value))})"
        parts.append(f"{name.upper()} {listed}")
    if options.get("encoding") is not None:
        parts.append(f"ENCODING {quote_literal(options['encoding'])}")
    return f"({', '.join(parts)})" if parts else ""


def build_target(table: str, schema: str | None, columns: Sequence[str] | None) -> str:
    """Return a table with its columns, quoted."""
    name = f"{quote_ident(schema)}." if schema else ""
    listed = f"({', '.join(map(quote_ident, columns))})" if columns else ""
    return f"{name}{quote_ident(table)}{listed}"


async def read_source(  # noqa: C901 - one branch for each kind of source
    source: Any,
) -> AsyncIterator[bytes]:
    """Yield the data of a path, a file, bytes or an iterable of bytes."""
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:  # noqa: ASYNC230 - the Worker's files are in memory
            while part := file.read(_PART):
                yield part
    elif hasattr(source, "read"):
        while True:
            part = source.read(_PART)
            if inspect.isawaitable(part):
                part = await part
            if not part:
                return
            yield part
    elif isinstance(source, bytes | bytearray | memoryview):
        yield bytes(source)
    elif hasattr(source, "__aiter__"):
        async for part in source:
            yield part
    else:
        for part in source:
            yield part


@contextlib.contextmanager
def open_sink(output: Any) -> Any:
    """Give an async function that writes to a path, a file or a coroutine function."""
    if isinstance(output, str | os.PathLike):
        with Path(output).open("wb") as file:
            yield _writer(file.write)
    elif hasattr(output, "write"):
        yield _writer(output.write)
    elif callable(output):
        yield _writer(output)
    else:
        raise TypeError(
            "output is expected to be a file-like object, a path-like object or a coroutine "
            f"function, not {type(output).__name__}"
        )


def _writer(write: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    async def take(data: bytes) -> None:
        result = write(data)
        if inspect.isawaitable(result):
            await result

    return take


async def encode_records(records: Any, oids: Sequence[int], codecs: Codecs) -> AsyncIterator[bytes]:
    """Yield rows in COPY's binary form; raises InternalClientError for a text-only type."""
    found = [codecs.get(oid) for oid in oids]
    for codec in found:
        if not codec.binary:
            raise InternalClientError(
                f"no binary format encoder for type {codec.type.name} (OID {codec.type.oid})"
            )
    encoders = [codec.encode for codec in found]
    parts = [_SIGNATURE]
    size = 0
    async for record in _iterate(records):
        parts.append(struct.pack("!h", len(encoders)))
        for value, encode in zip(record, encoders, strict=True):
            if value is None:
                parts.append(_NULL)
                continue
            data = encode(value)
            parts += (struct.pack("!i", len(data)), data)
            size += len(data)
        if size > _PART:
            yield b"".join(parts)
            parts, size = [], 0
    parts.append(struct.pack("!h", -1))
    yield b"".join(parts)


async def _iterate(records: Iterable[Any]) -> AsyncIterator[Any]:
    if hasattr(records, "__aiter__"):
        async for record in records:
            yield record
    else:
        for record in records:
            yield record
