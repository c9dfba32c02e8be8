"""What a connection keeps of a statement: its name on the server, parameters and columns."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from edgelift.worker.postgres.results import Field, Result, split_row

from .codecs import Codec, Codecs
from .exceptions import DataError, InterfaceError
from .record import Record, Shape, make_record

_SHOWN = 40


class Statement:
    """A prepared statement; `fields` is None for one without rows."""

    def __init__(self, name: bytes, query: str, record_class: type[Record]) -> None:
        self.name, self.query, self.record_class = name, query, record_class
        self.parameters: list[int] = []
        self.fields: tuple[Field, ...] | None = None
        self.tag = b""
        self.uses = 0
        self.cached = False
        self._shape = Shape(())
        self._plain: list[Codec] | None = None

    def describe(self, parameters: Sequence[int], fields: tuple[Field, ...] | None) -> None:
        """Take what the server says of the statement."""
        self.parameters = list(parameters)
        self.fields = fields
        self._shape = Shape(tuple(field.name.decode() for field in fields or ()))

    @property
    def oids(self) -> set[int]:
        """The types of parameters and columns."""
        return {*self.parameters, *(field.type_oid for field in self.fields or ())}

    def result_formats(self, codecs: Codecs) -> list[int]:
        """Return the formats in which the columns are wanted."""
        formats = [int(codecs.get(field.type_oid).binary) for field in self.fields or ()]
        return formats[:1] if len(set(formats)) == 1 else formats

    def encode(
        self, arguments: Sequence[Any], codecs: Codecs, row: int | None = None
    ) -> tuple[list[Any], list[int]]:
        """Return the arguments' forms and formats; raises DataError or InterfaceError."""
        self._check_count(arguments)
        found = [codecs.get(oid) for oid in self.parameters]
        values: list[bytes | None] = []
        for number, (value, codec) in enumerate(zip(arguments, found, strict=True)):
            if value is None:
                values.append(None)
                continue
            try:
                values.append(codec.encode(value))
            except (InterfaceError, AssertionError):
                raise
            except _CONVERSION_ERRORS as error:
                shown = repr(value)
                if len(shown) > _SHOWN:
                    shown = f"{shown[:_SHOWN]}..."
                where = f" in element #{row} of executemany() sequence" if row is not None else ""
                raise DataError(
                    f"invalid input for query argument ${number + 1}{where}: {shown} ({error})"
                ) from error
        return values, [int(codec.binary) for codec in found]

    def _check_count(self, arguments: Sequence[Any]) -> None:
        wanted, given = len(self.parameters), len(arguments)
        if wanted == given:
            return
        plural, were = ("" if wanted == 1 else "s"), ("was" if given == 1 else "were")
        hint = "Check the query against the passed list of arguments."
        if not wanted:
            hint += (
                "  Note that parameters are supported only in SELECT, INSERT, UPDATE, DELETE, "
                "MERGE and VALUES statements, and will *not* work in statements  like CREATE "
                "VIEW or DECLARE CURSOR."
            )
        raise InterfaceError(
            f"the server expects {wanted} argument{plural} for this query, {given} {were} passed",
            hint=hint,
        )

    def decode(self, result: Result, codecs: Codecs, kind: type[Record] | None = None) -> list[Any]:
        """Return the rows of a result."""
        decoders = [codecs.get(field.type_oid).decode for field in self.fields or ()]
        made = kind or self.record_class
        rows = []
        for body in result.rows:
            values = tuple(
                None if value is None else decode(value)
                for value, decode in zip(split_row(body), decoders, strict=True)
            )
            rows.append(make_record(made, self._shape, values))
        return rows


# What converting functions raise, those of applications included.
_CONVERSION_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    struct.error,
)
