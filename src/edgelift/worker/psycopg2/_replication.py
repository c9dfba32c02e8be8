"""The names of psycopg2's replication, which this module does not offer.

They exist so that what imports them for other uses still works; connecting raises.
"""

from __future__ import annotations

from typing import Any

from ._connection import connection
from ._cursor import cursor
from ._errors import NotSupportedError

REPLICATION_PHYSICAL = 12345678  # psycopg2's own numbers
REPLICATION_LOGICAL = 87654321


class StopReplication(Exception):
    """Ends a replication loop."""


class ReplicationMessage:
    """A message of a replication stream."""


class ReplicationCursor(cursor):
    """A cursor of a replication connection."""


class _ReplicationConnection(connection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.closed = 1
        raise NotSupportedError("replication connections are not supported")


class LogicalReplicationConnection(_ReplicationConnection):
    """A connection for logical replication; connecting raises NotSupportedError."""


class PhysicalReplicationConnection(_ReplicationConnection):
    """A connection for physical replication; connecting raises NotSupportedError."""
