"""What MySQL and MariaDB keep of writing, by table: time of the last write, counter, estimate.

InnoDB keeps the time in memory only, so the server's start belongs to it. Writes of one second
look alike: a table written in the second of the look counts as changed at the next.
"""

from __future__ import annotations

import hashlib
import uuid

from edgelift.model.activity import Activity
from edgelift.sources.mysql.connection import MySqlSession, quote_text

_TABLES = """
SELECT TABLE_NAME, COALESCE(UNIX_TIMESTAMP(UPDATE_TIME), ''), COALESCE(AUTO_INCREMENT, ''),
       COALESCE(UNIX_TIMESTAMP(CREATE_TIME), ''), COALESCE(TABLE_ROWS, '')
FROM information_schema.TABLES
WHERE TABLE_SCHEMA = {schema} AND TABLE_TYPE <> 'VIEW' ORDER BY TABLE_NAME
"""
_FRESH_S = 2


def read_activity(session: MySqlSession, schema: str) -> Activity:
    """Return the state of all tables; sessions of edgelift pass MySQL's own cache of it by."""
    now = int(session.read_texts("SELECT UNIX_TIMESTAMP()")[0][0] or 0)
    uptime = int(session.read_texts("SHOW GLOBAL STATUS LIKE 'Uptime'")[0][1] or 0)
    rows = session.read_texts(_TABLES.format(schema=quote_text(schema)))
    digest = hashlib.sha256(repr(rows).encode()).hexdigest()
    last = max((int(float(row[1])) for row in rows if row[1]), default=0)
    if now - last < _FRESH_S:
        digest += f" {uuid.uuid4()}"
    return Activity(counts=digest, started=now - uptime)
