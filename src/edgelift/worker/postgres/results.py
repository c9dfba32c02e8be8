"""What the wire core hands to the drivers: results, their columns, and messages of the server."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass, field
from typing import NamedTuple


class Command(enum.Enum):
    """What was sent; each but PARSE.. of a pipeline is answered by at least one result."""

    SIMPLE = "simple"
    PARSE = "parse"
    DESCRIBE = "describe"
    EXECUTE = "execute"
    CLOSE = "close"
    SYNC = "sync"


class Status(enum.Enum):
    """How a result ended; READY is the server's ReadyForQuery."""

    EMPTY = "empty"
    DONE = "done"
    ROWS = "rows"
    SUSPENDED = "suspended"
    PREPARED = "prepared"
    DESCRIBED = "described"
    CLOSED = "closed"
    COPY_IN = "copy in"
    COPY_OUT = "copy out"
    COPY_BOTH = "copy both"
    ERROR = "error"
    ABORTED = "aborted"
    READY = "ready"


class Field(NamedTuple):
    """A column of a result; `format` is 0 for text and 1 for binary."""

    name: bytes
    table_oid: int
    table_column: int
    type_oid: int
    size: int
    modifier: int
    format: int


class Notification(NamedTuple):
    """What NOTIFY sent."""

    pid: int
    channel: bytes
    payload: bytes


# The fields of an error or a notice by their one-letter codes ("Error and Notice Message Fields").
Report = dict[str, bytes]


@dataclass(slots=True)
class Result:
    """The answer to one command; `rows` are DataRow bodies, see `split_row`."""

    status: Status
    command: Command | None = None
    fields: tuple[Field, ...] | None = None
    rows: list[bytes] = field(default_factory=list)
    tag: bytes = b""
    report: Report = field(default_factory=dict)
    parameter_oids: tuple[int, ...] = ()
    copy_formats: tuple[int, ...] = ()
    copy_binary: bool = False

    @property
    def row_count(self) -> int:
        """The count in the command tag, -1 when it has none."""
        last = self.tag.rpartition(b" ")[2]
        return int(last) if last.isdigit() else -1


read_size = struct.Struct("!i").unpack_from


def split_row(body: bytes) -> list[bytes | None]:
    """Return the values of a DataRow."""
    values: list[bytes | None] = []
    position = 2
    for _ in range(body[0] << 8 | body[1]):
        end = position + 4
        (size,) = read_size(body, position)
        position = end
        if size < 0:
            values.append(None)
        else:
            position += size
            values.append(body[end:position])
    return values
