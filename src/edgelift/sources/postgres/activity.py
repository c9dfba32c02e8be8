"""What PostgreSQL's statistics count of writing, by table; TRUNCATE shows as a new file.

Sessions report their counts up to some seconds late: a write just before a look may be missed by
it, and one just before a copy may show up after it. Statistics lost in a crash count as a change.
"""

from __future__ import annotations

from edgelift.model.activity import Activity
from edgelift.sources.postgres.connection import Connection
from edgelift.sources.postgres.errors import origin_errors

_COUNTS = """
SELECT current_setting('track_counts')::bool,
       coalesce(md5(string_agg(concat_ws(':', s.relid, s.n_tup_ins, s.n_tup_upd, s.n_tup_del,
                                         pg_relation_filenode(s.relid)), ',' ORDER BY s.relid)), '')
         || coalesce((SELECT stats_reset::text FROM pg_stat_database
                      WHERE datname = current_database()), '')
FROM pg_stat_user_tables s
"""


def read_activity(connection: Connection, place: str) -> Activity:
    """Return the sum of what was written, empty where the server does not count."""
    with origin_errors(place):
        row = connection.execute(_COUNTS).fetchone()
    assert row is not None
    counted, counts = row
    return Activity(counts=counts or "none" if counted else "")
