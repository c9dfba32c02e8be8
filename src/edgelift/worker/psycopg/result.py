"""PGresult of psycopg.pq over a result of the wire core."""

from __future__ import annotations

from typing import Any

from psycopg.pq._enums import ExecStatus
from psycopg.pq.misc import PGresAttDesc, _clean_error_message

from edgelift.worker.postgres.report import format_report
from edgelift.worker.postgres.results import Command, Field, Result, Status, split_row

_STATUS = {
    Status.EMPTY: ExecStatus.EMPTY_QUERY,
    Status.DONE: ExecStatus.COMMAND_OK,
    Status.ROWS: ExecStatus.TUPLES_OK,
    Status.SUSPENDED: ExecStatus.TUPLES_OK,
    Status.PREPARED: ExecStatus.COMMAND_OK,
    Status.DESCRIBED: ExecStatus.COMMAND_OK,
    Status.CLOSED: ExecStatus.COMMAND_OK,
    Status.COPY_IN: ExecStatus.COPY_IN,
    Status.COPY_OUT: ExecStatus.COPY_OUT,
    Status.COPY_BOTH: ExecStatus.COPY_BOTH,
    Status.ERROR: ExecStatus.FATAL_ERROR,
    Status.ABORTED: ExecStatus.PIPELINE_ABORTED,
    Status.READY: ExecStatus.PIPELINE_SYNC,
}


class PGresult:
    """A result; rows are split into values when the first of them is asked for."""

    __module__ = "psycopg.pq.pq_ctypes"

    def __init__(self, result: Result, query: bytes | None = None, status: Any = None) -> None:
        self._result = result
        self._query = query
        self._status = int(_STATUS[result.status] if status is None else status)
        self._fields: tuple[Field, ...] = result.fields or tuple(
            Field(b"", 0, 0, 0, 0, 0, format) for format in result.copy_formats
        )
        self._values: list[list[bytes | None] | None] = [None] * len(result.rows)
        self._message: bytes | None = None

    def __repr__(self) -> str:
        name = ExecStatus(self.status).name
        return f"<{type(self).__module__}.{type(self).__name__} [{name}] at {id(self):#x}>"

    def clear(self) -> None:
        """Forget the result."""
        self._result = Result(Status.ERROR, report={})
        self._status = int(ExecStatus.FATAL_ERROR)
        self._fields = ()
        self._values = []

    @property
    def pgresult_ptr(self) -> None:
        """Nothing: there is no libpq."""
        return

    @property
    def status(self) -> int:
        """One of ExecStatus."""
        return self._status

    @property
    def error_message(self) -> bytes:
        """The error's whole text, as libpq shapes it."""
        if self._message is not None:
            return self._message
        if not self._result.report:
            return b""
        query = None if self._query is None else self._query.decode("utf-8", "surrogateescape")
        text = format_report(self._result.report, query, _decode)
        return text.encode("utf-8", "surrogateescape")

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """Return the error's text without its severity."""
        return str(_clean_error_message(self.error_message, encoding))

    def error_field(self, fieldcode: int) -> bytes | None:
        """Return a field of the error, None for one the server did not send."""
        return self._result.report.get(chr(fieldcode))

    @property
    def ntuples(self) -> int:
        """The number of rows."""
        return len(self._values)

    @property
    def nfields(self) -> int:
        """The number of columns."""
        return len(self._fields)

    def _field(self, number: int) -> Field | None:
        return self._fields[number] if 0 <= number < len(self._fields) else None

    def fname(self, column_number: int) -> bytes | None:
        """Return a column's name."""
        field = self._field(column_number)
        return field and field.name

    def ftable(self, column_number: int) -> int:
        """Return the OID of a column's table."""
        field = self._field(column_number)
        return field.table_oid if field else 0

    def ftablecol(self, column_number: int) -> int:
        """Return a column's number in its table."""
        field = self._field(column_number)
        return field.table_column if field else 0

    def fformat(self, column_number: int) -> int:
        """Return a column's format."""
        field = self._field(column_number)
        return field.format if field else 0

    def ftype(self, column_number: int) -> int:
        """Return the OID of a column's type."""
        field = self._field(column_number)
        return field.type_oid if field else 0

    def fmod(self, column_number: int) -> int:
        """Return a column's type modifier."""
        field = self._field(column_number)
        return field.modifier if field else 0

    def fsize(self, column_number: int) -> int:
        """Return the size of a column's type."""
        field = self._field(column_number)
        return field.size if field else 0

    @property
    def binary_tuples(self) -> int:
        """1 when all columns, or the data of a COPY, are binary."""
        if self._result.status in {Status.COPY_IN, Status.COPY_OUT, Status.COPY_BOTH}:
            return int(self._result.copy_binary)
        return int(bool(self._fields) and all(field.format for field in self._fields))

    def get_value(self, row_number: int, column_number: int) -> bytes | None:
        """Return a value, None for NULL."""
        if not 0 <= row_number < len(self._values):
            return None
        row = self._values[row_number]
        if row is None:
            row = self._values[row_number] = split_row(self._result.rows[row_number])
        return row[column_number] if 0 <= column_number < len(row) else None

    @property
    def nparams(self) -> int:
        """The number of parameters of a described statement."""
        return len(self._result.parameter_oids)

    def param_type(self, param_number: int) -> int:
        """Return the OID of a parameter's type."""
        oids = self._result.parameter_oids
        return oids[param_number] if 0 <= param_number < len(oids) else 0

    @property
    def command_status(self) -> bytes:
        """The command tag."""
        return self._result.tag

    @property
    def command_tuples(self) -> int | None:
        """The count of the command tag."""
        count = self._result.row_count
        return count if count >= 0 else None

    @property
    def oid_value(self) -> int:
        """The OID of an inserted row, which servers do not give any more."""
        return 0

    def set_attributes(self, descriptions: list[Any]) -> None:
        """Give an empty result columns."""
        self._fields = tuple(
            Field(d.name, d.tableid, d.columnid, d.typid, d.typlen, d.atttypmod, d.format)
            for d in map(PGresAttDesc._make, descriptions)
        )


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def make_empty(status: int, message: bytes = b"") -> PGresult:
    """Return a result without rows of any status."""
    made = PGresult(Result(Status.DONE, Command.SIMPLE), status=status)
    made._message = message
    return made
