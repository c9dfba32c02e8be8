"""The DatabaseWrapper over a moved database: SQLite beneath, the origin's transactions above."""

from __future__ import annotations

import contextlib
import datetime as dt
import zoneinfo
from collections.abc import Iterator
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.sqlite3 import base as sqlite
from django.db.utils import DatabaseError, InternalError
from django.utils.dateparse import parse_datetime

from edgelift.worker.django_moved import places
from edgelift.worker.django_moved.cursors import MovedCursor, read_number
from edgelift.worker.django_moved.features import MysqlFeatures, PostgresFeatures
from edgelift.worker.django_moved.introspection import MovedIntrospection
from edgelift.worker.django_moved.operations import MysqlOperations, PostgresOperations
from edgelift.worker.django_moved.values import write_moment
from edgelift.worker.moved import counters

_ABORTED = "current transaction is aborted, commands ignored until end of transaction block\n"
_STRICTER = frozenset({"repeatable read", "serializable", "3", "4"})
# PRAGMA is what only the backend itself says, when it ends a change of the schema.
_ENDS = ("ROLLBACK", "COMMIT", "RELEASE", "PRAGMA")

sqlite.Database.register_converter("boolean", b"1".__eq__)
sqlite.Database.register_converter("numeric", read_number)


class MovedWrapper(sqlite.DatabaseWrapper):
    """A connection; `origin` is the engine whose meaning the statements keep.

    Until a transaction's first write its reads see what others commit, as at the READ COMMITTED
    of both servers; with it, or with SELECT ... FOR UPDATE, the database is its own.
    """

    origin = "postgresql"
    # An error inside a transaction of PostgreSQL leaves nothing to do but to roll back.
    errors_abort = True
    data_types: ClassVar[dict[str, Any]] = {
        **sqlite.DatabaseWrapper.data_types,
        "BooleanField": "boolean",
        "UUIDField": "char(36)",
    }

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.failed = False
        self.inserted = False
        # When the open transaction began, as the rows have it.
        self.began: str | None = None
        # Whether the ORM runs a statement, which reads values by its fields.
        self.of_orm = False

    @contextlib.contextmanager
    def run_orm(self) -> Iterator[None]:
        """Tell cursors that what runs in the block is the ORM's."""
        before, self.of_orm = self.of_orm, True
        try:
            yield
        finally:
            self.of_orm = before

    @property
    def uuid_form(self) -> str:
        """The form in which the move wrote UUIDs: `text`, `hex` or `blob`."""
        place = places.find_place(self.origin, str(self.settings_dict["NAME"] or ""))
        return place.uuid if place else "text"

    def get_connection_params(self) -> dict[str, Any]:
        """Return where the moved database is, without what was meant for the server's driver."""
        place = places.find_place(self.origin, str(self.settings_dict["NAME"] or ""))
        if place is None:
            raise ImproperlyConfigured(f"No {self.display_name} was moved for {self.alias!r}.")
        self.transaction_mode = None
        self.init_commands: list[str] = []
        detect = sqlite.Database.PARSE_DECLTYPES | sqlite.Database.PARSE_COLNAMES
        return {"database": place.path, "detect_types": detect, "check_same_thread": False}

    def get_new_connection(self, conn_params: Any) -> Any:
        """Open a connection whose reads are those of the server's isolation level."""
        connection = super().get_new_connection(conn_params)
        level = str(self.settings_dict["OPTIONS"].get("isolation_level") or "").lower()
        if level not in _STRICTER and hasattr(connection, "read_committed"):
            connection.read_committed()
        return connection

    def create_cursor(self, name: Any = None) -> Any:
        """Return a cursor; one with a name holds all its rows like any other."""
        cursor = self.connection.cursor(factory=MovedCursor)
        cursor.wrapper = self
        return cursor

    # Transactions

    def _start_transaction_under_autocommit(self) -> None:
        self.began = write_moment(dt.datetime.now(dt.UTC))
        super()._start_transaction_under_autocommit()

    def check_transaction(self, query: str) -> None:
        """Raise InternalError inside a transaction that an error has ended, as PostgreSQL does."""
        if not self.failed:
            return
        if not self.in_atomic_block and self.autocommit:
            self.failed = False  # that transaction is over
        elif not query.lstrip()[:8].upper().startswith(_ENDS):
            raise InternalError(_ABORTED)

    def note_failure(self) -> None:
        """Remember that a statement failed inside a transaction."""
        if self.errors_abort and (self.in_atomic_block or not self.get_autocommit()):
            self.failed = True

    def refuse(self, error: DatabaseError) -> DatabaseError:
        """Return the error of a value that the server would not take, to be raised."""
        self.note_failure()
        return error

    def note_statement(self, query: str) -> None:
        """Remember what a rollback must know: whether rows were inserted."""
        self.inserted = self.inserted or query.lstrip()[:6].upper() == "INSERT"

    def take_for_update(self) -> None:
        """Take the database for the transaction before its rows are read FOR UPDATE."""
        if self.in_atomic_block and hasattr(self.connection, "lock"):
            self.connection.lock()

    def lose_numbers(self, table: str, count: int) -> None:
        """Note that numbers were given out to rows that were refused."""
        counters.lose(self.connection, table, count)
        if not self.in_atomic_block and self.get_autocommit():
            self._settle()

    def _settle(self) -> None:
        own = self.connection
        counters.raise_counters(own, counters.read_used(own))
        if own.in_transaction and not self.in_atomic_block:
            own.commit()

    def _commit(self) -> None:
        """Commit; what an error has ended is rolled back instead, and nobody is told."""
        if self.failed:
            self._rollback()
            return
        if self.connection is not None and counters.has_lost(self.connection):
            counters.raise_counters(self.connection, counters.read_used(self.connection))
        self.inserted = False
        super()._commit()

    def _rollback(self) -> None:
        """Roll back all but the counters."""
        self.failed = False
        own = self.connection
        if own is None or not (self.inserted or counters.has_lost(own)):
            super()._rollback()
            return
        used = counters.read_used(own)
        super()._rollback()
        self.inserted = False
        counters.raise_counters(own, used)
        if own.in_transaction:
            own.commit()

    def _savepoint_rollback(self, sid: str) -> None:
        """Roll back to a savepoint, all but the counters."""
        own = self.connection
        used = counters.read_used(own) if self.inserted or counters.has_lost(own) else {}
        super()._savepoint_rollback(sid)
        self.failed = False
        if used:
            counters.raise_counters(own, used)

    def _close(self) -> Any:
        if self.connection is not None:
            counters.forget(self.connection)
        self.failed = self.inserted = False
        return super()._close()

    # How rows of statements without known columns are read; None: as they are.
    read_row: Any = None

    def read_zoned(self, value: Any) -> Any:
        """Return a moment with a time zone as the server's driver gives it to raw statements."""
        return value

    def place_naive(self, value: dt.datetime) -> dt.datetime:
        """Return what the server takes a naive moment for that a raw statement is given."""
        return value


class MovedPostgres(MovedWrapper):
    """What `django.db.backends.postgresql` is."""

    display_name = "PostgreSQL moved to SQLite"
    features_class = PostgresFeatures
    ops_class = PostgresOperations
    introspection_class = MovedIntrospection

    @property
    def pg_version(self) -> int:
        """The newest version whose behaviour is kept."""
        return 150000

    @property
    def session_zone(self) -> Any:
        """The time zone in which the server's session would tell moments."""
        if settings.USE_TZ:
            return self.timezone
        return zoneinfo.ZoneInfo(settings.TIME_ZONE)

    def read_row(self, _cursor: Any, row: Any) -> tuple[Any, ...]:
        """Return a row with its moments as psycopg gives them: Django's columns have zones."""
        return tuple(self.read_zoned(v) if type(v) is dt.datetime else v for v in row)

    def place_naive(self, value: dt.datetime) -> dt.datetime:
        """Return a naive moment in the session's time zone."""
        return value.replace(tzinfo=self.session_zone)

    def read_zoned(self, value: Any) -> Any:
        """Return a moment as psycopg gives it: aware, or in local time where USE_TZ is off."""
        moment = parse_datetime(value) if isinstance(value, str) else value
        if not isinstance(moment, dt.datetime):
            return moment
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        if settings.USE_TZ:
            return moment if self.timezone is dt.UTC else moment.astimezone(self.timezone)
        return moment.astimezone(self.session_zone).replace(tzinfo=None)


class MovedMysql(MovedWrapper):
    """What `django.db.backends.mysql` is."""

    display_name = "MySQL moved to SQLite"
    origin = "mysql"
    errors_abort = False
    features_class = MysqlFeatures
    ops_class = MysqlOperations
    introspection_class = MovedIntrospection
    mysql_is_mariadb = True
    mysql_version = (10, 11)
