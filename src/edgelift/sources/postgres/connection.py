"""Connect to PostgreSQL so that the origin is never at risk: read-only, timed, named, retried."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlencode

import psycopg
from psycopg import conninfo

from edgelift.errors import OriginError, OriginUnavailable, UsageError
from edgelift.sources.origin_database import mask_url
from edgelift.sources.postgres.errors import QueryCancelled, SnapshotLost, origin_errors

OLDEST_VERSION = 120000  # generated columns (pg_attribute.attgenerated) came with 12
CATALOGUE_TIMEOUT_S = 300
READ_TIMEOUT_S = 3600  # one chunk or one table's facts
LOCK_TIMEOUT_S = 30
_CONNECT_TIMEOUT_S = 10
_USER_TIMEOUT_MS = 60_000  # that sent bytes may stay without the network's receipt
_FIRST_WAIT_S = 0.25
_READ_TRIES = 3
_TRIES = 6  # waits of 0.25 to 4 s: 8 s in all, what a restart of a small server takes

_URL = re.compile(r"(?P<scheme>[^:]+)://(?:(?P<login>.*)@)?(?P<rest>.*)", re.DOTALL)
# Drivers' own words for libpq's; what is left out means nothing to libpq.
_RENAMED = {"ssl": "sslmode", "user": "user", "database": "dbname", "timeout": "connect_timeout"}

Connection = psycopg.Connection[tuple[Any, ...]]
T = TypeVar("T")


@dataclass(frozen=True)
class Address:
    """Where a database is: libpq's words (a secret: they hold the password) and a name to show."""

    words: Mapping[str, str]
    place: str

    def __repr__(self) -> str:
        return f"Address({self.place})"


def to_address(url: str) -> Address:
    """Return the address of a URL as SQLAlchemy, Django, asyncpg and libpq write them.

    A driver (`postgresql+psycopg2`) is dropped, raw characters in the password are taken as they
    are. Raises UsageError when libpq does not understand the rest.
    """
    found = _URL.fullmatch(url)
    login, rest = (found["login"], found["rest"]) if found else (None, url)
    try:
        if login is not None:
            rest = ":".join(quote(unquote(p), safe="") for p in login.split(":", 1)) + "@" + rest
        base, _, query = rest.partition("?")
        parts = (part.partition("=") for part in query.split("&") if part)
        pairs = [(_RENAMED.get(name, name), unquote(value)) for name, _, value in parts]
        known = [(k, _to_sslmode(v) if k == "sslmode" else v) for k, v in pairs if k in _KNOWN]
        words = conninfo.conninfo_to_dict(
            "postgresql://" + base + "?" + urlencode(known, quote_via=quote)
        )
    except psycopg.ProgrammingError as error:
        raise UsageError(
            f"The database url {mask_url(url)} cannot be read",
            why=str(error).replace(url, mask_url(url)),
            tip="write it like postgresql://user:password@host:5432/database?sslmode=require",
        ) from error
    host = words.get("host") or words.get("hostaddr") or "the local socket"
    name = words.get("dbname") or words.get("user") or "its default database"
    port = f":{words['port']}" if words.get("port") else ""
    return Address(
        {key: str(value) for key, value in words.items() if value is not None},
        f"the PostgreSQL database {name} at {host}{port}",
    )


_KNOWN = frozenset(
    option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults() if option.keyword
)


def _to_sslmode(value: str) -> str:
    return {"true": "require", "1": "require", "false": "disable", "0": "disable"}.get(
        value.lower(), value
    )


def connect(address: Address, *, tries: int = _TRIES, **words: str) -> Connection:
    """Open a connection, trying again while the server is away or has no free place.

    Raises OriginError when it refuses, OriginUnavailable when it did not answer in about 8 s.
    """
    given: dict[str, Any] = {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "client_encoding": "UTF8",
        "gssencmode": "disable",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": _USER_TIMEOUT_MS,
        **address.words,
        "application_name": "edgelift",
        **words,
    }
    wait = _FIRST_WAIT_S
    while True:
        tries -= 1
        try:
            with origin_errors(address.place):
                return psycopg.connect("", autocommit=True, prepare_threshold=None, **given)
        except OriginUnavailable:
            if tries <= 0:
                raise
            time.sleep(wait * random.uniform(0.75, 1.25))  # noqa: S311 - spreads retries, no secret
            wait = min(wait * 2, 4.0)


@contextlib.contextmanager
def limited(connection: Connection, seconds: float) -> Iterator[None]:
    """Cut the connection when the block takes longer: a dead network gives no answer and no error.

    What waits for the server then gets libpq's error of a lost connection.
    """
    timer = threading.Timer(seconds, _cut, (connection.pgconn.socket,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(descriptor: int) -> None:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as twin:
        twin.shutdown(socket.SHUT_RDWR)


def try_again(work: Callable[[], T]) -> T:
    """Return what `work` does, trying thrice when what stands in its way may pass by itself.

    A lost snapshot stays lost, and a query that somebody cancelled is not forced on the server.
    """
    wait = _FIRST_WAIT_S
    for _ in range(_READ_TRIES - 1):
        try:
            return work()
        except (SnapshotLost, QueryCancelled):
            raise
        except OriginUnavailable:
            time.sleep(wait)
            wait *= 4
    return work()


# Local to the transaction, so that a pooler between (PgBouncer) hands the next client a clean one.
_SETTINGS = {
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": "0",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "xmlbinary": "base64",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "synchronize_seqscans": "off",
    "row_security": "off",
    "tcp_keepalives_idle": "60",
    "tcp_user_timeout": "300000",
}
_NEWER_SETTINGS = ((140000, "idle_session_timeout", "0"), (170000, "transaction_timeout", "0"))


def begin_reading(
    connection: Connection, timeout_s: int, *, snapshot: str = "", **settings: str
) -> None:
    """Start a REPEATABLE READ READ ONLY transaction with settings that hold inside it only.

    `snapshot` is one that another connection exported. `row_security=off` makes a table whose
    policies hide rows an error (42501), never a silently smaller copy.
    """
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    if snapshot:
        connection.execute(f"SET TRANSACTION SNAPSHOT '{to_word(snapshot)}'".encode())
    wanted = {**_SETTINGS, "statement_timeout": f"{timeout_s}s", **settings}
    version = connection.info.server_version
    wanted |= {name: value for since, name, value in _NEWER_SETTINGS if version >= since}
    calls = ", ".join(f"pg_catalog.set_config('{n}', '{v}', true)" for n, v in wanted.items())
    connection.execute(f"SELECT {calls}".encode())


def to_word(text: str) -> str:
    """Return a snapshot's name or LSN if it has the form of one; raises OriginError if not."""
    if not re.fullmatch(r"[0-9A-Za-z/-]+", text):
        raise OriginError(
            f"{text!r} names no snapshot", why="it has another form", tip="start the copy again"
        )
    return text


def check_version(connection: Connection, address: Address) -> str:
    """Return the server's version like `15.4`; raises OriginError for what is not supported."""
    with origin_errors(address.place):
        row = connection.execute("SELECT pg_catalog.version()").fetchone()
    product = str(row[0]) if row else ""
    judge_version(connection.info.server_version, product, address.place)
    return str(connection.info.parameter_status("server_version") or "").split(" ")[0]


def judge_version(number: int, product: str, place: str) -> None:
    """Raise OriginError for a server that is too old, or that is not PostgreSQL itself."""
    if not product.startswith(("PostgreSQL", "EnterpriseDB")):
        raise OriginError(
            f"{place[:1].upper()}{place[1:]} is not PostgreSQL",
            why=f"it calls itself {product[:60]!r}; its catalogue and snapshots differ",
            tip="dump it into a PostgreSQL server and give edgelift that one",
        )
    if number < OLDEST_VERSION:
        raise OriginError(
            f"{place[:1].upper()}{place[1:]} is too old",
            why=f"it is version {number // 10000}, edgelift reads {OLDEST_VERSION // 10000} and "
            "newer",
            tip="pg_dump it into a newer server and give edgelift that one",
        )
