"""A pytest plugin for SQLAlchemy's own tests: puts the Worker's sqlite3 in place.

D1 attaches no second database, so tests of schemas (ATTACH) are skipped.
"""

import pytest
from sqlite_transport import driver, put_in_place

put_in_place({"/suite/main_pysqlite.db": "DB_0"})


class Connection(driver.Connection):
    """Passes over the ATTACH that SQLAlchemy's tests begin each connection with."""

    def execute(self, sql, parameters=(), /):
        if sql.startswith("ATTACH DATABASE"):
            return self.cursor()
        return super().execute(sql, parameters)


_connect = driver.connect


def connect(database, *arguments, **named):
    if str(database).startswith("/suite/"):
        named.setdefault("factory", Connection)
    return _connect(database, *arguments, **named)


driver.connect = driver.dbapi2.connect = connect


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    from sqlalchemy.testing import config, exclusions

    requirements = type(config.requirements)
    for name in (
        "schemas",
        "cross_schema_fk_reflection",
        "temp_table_reflection",
        "temporary_tables",
        "temporary_views",
        "temp_table_names",
        "temp_table_reflect_indexes",
        "temp_table_comment_reflection",
    ):
        setattr(requirements, name, property(lambda self: exclusions.closed()))
