"""A pytest plugin for SQLAlchemy's own tests: puts the Worker's sqlite3 in place."""

from sqlite_transport import put_in_place

put_in_place({"/suite/main.db": "DB_0", "/suite/test_schema.db": "DB_1"})
