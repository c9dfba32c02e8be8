"""psycopg2.extras: other kinds of rows, bulk execution, and types beyond the basic ones."""

from __future__ import annotations

import json

from ._batching import execute_batch, execute_values
from ._composite import CompositeCaster, register_composite
from ._hstore import HstoreAdapter, register_hstore
from ._ipaddress import register_ipaddress
from ._json import Json, register_default_json, register_default_jsonb, register_json
from ._logging import (
    LoggingConnection,
    LoggingCursor,
    MinTimeLoggingConnection,
    MinTimeLoggingCursor,
)
from ._range import (
    DateRange,
    DateTimeRange,
    DateTimeTZRange,
    NumericRange,
    Range,
    RangeAdapter,
    RangeCaster,
    register_range,
)
from ._replication import (
    REPLICATION_LOGICAL,
    REPLICATION_PHYSICAL,
    LogicalReplicationConnection,
    PhysicalReplicationConnection,
    ReplicationCursor,
    ReplicationMessage,
    StopReplication,
)
from ._rows import (
    DictConnection,
    DictCursor,
    DictCursorBase,
    DictRow,
    NamedTupleConnection,
    NamedTupleCursor,
    RealDictConnection,
    RealDictCursor,
    RealDictRow,
)
from ._types import Inet, UUID_adapter, register_inet, register_uuid, wait_select
from .extensions import quote_ident

__all__ = [
    "REPLICATION_LOGICAL",
    "REPLICATION_PHYSICAL",
    "CompositeCaster",
    "DateRange",
    "DateTimeRange",
    "DateTimeTZRange",
    "DictConnection",
    "DictCursor",
    "DictCursorBase",
    "DictRow",
    "HstoreAdapter",
    "Inet",
    "Json",
    "LoggingConnection",
    "LoggingCursor",
    "LogicalReplicationConnection",
    "MinTimeLoggingConnection",
    "MinTimeLoggingCursor",
    "NamedTupleConnection",
    "NamedTupleCursor",
    "NumericRange",
    "PhysicalReplicationConnection",
    "Range",
    "RangeAdapter",
    "RangeCaster",
    "RealDictConnection",
    "RealDictCursor",
    "RealDictRow",
    "ReplicationCursor",
    "ReplicationMessage",
    "StopReplication",
    "UUID_adapter",
    "execute_batch",
    "execute_values",
    "json",
    "quote_ident",
    "register_composite",
    "register_default_json",
    "register_default_jsonb",
    "register_hstore",
    "register_inet",
    "register_ipaddress",
    "register_json",
    "register_range",
    "register_uuid",
    "wait_select",
]

# Pickles and error reports name the module that applications import.
for _name in ("_batching", "_composite", "_hstore", "_logging", "_replication", "_rows", "_types"):
    for _part in list(globals().values()):
        if getattr(_part, "__module__", "") == f"{__package__}.{_name}":
            _part.__module__ = __name__
