"""What MySQL, MariaDB and the network say, turned into three-line errors with a next step."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import pymysql

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.sources.mysql.url import MySqlPlace


@dataclass(frozen=True)
class _Case:
    """One kind of failure: its codes, and `what` and `tip` with {place}, {user}, {database}."""

    codes: frozenset[int]
    what: str
    tip: str
    passing: bool = False


# Codes: mysqld_error.h of MariaDB 10.11 and MySQL 8.0, errmsg.h of their clients (2000 and up).
_CASES = (
    _Case(
        frozenset({2002, 2003, 2005}),
        "The database server {place} does not answer",
        "start it, or correct host and port in the url; then run the same command again",
        passing=True,
    ),
    _Case(
        frozenset({2006, 2013, 2055, 1053, 1927, 1158, 1159, 1160, 1161, 4031, 1079}),
        "The connection to the database server {place} was cut",
        "see whether the server runs and why it stopped; then run the same command again",
        passing=True,
    ),
    _Case(
        frozenset({1040, 1203, 1226}),
        "The database server {place} takes no further connection",
        "wait for others to end or raise max_connections; then run the same command again",
        passing=True,
    ),
    _Case(
        frozenset({1205, 1213, 1317, 1969, 3024, 1968, 3572, 3058}),
        "The database server {place} ended a statement of edgelift",
        "run the same command again when the server is less busy; finished parts are kept",
        passing=True,
    ),
    _Case(
        frozenset({1021, 1114, 3, 1026, 28}),
        "The disk of the database server {place} is full",
        "free space on the origin's disk (its tmpdir too); then run the same command again",
        passing=True,
    ),
    _Case(
        frozenset({1862, 1820, 3118, 4151}),
        "The account {user} of the database server {place} is locked or has expired",
        "ALTER USER {user} ACCOUNT UNLOCK, or give it a new password; then run the command again",
    ),
    _Case(
        frozenset({1045, 1698}),
        "The database server {place} refuses the user {user}",
        "correct user and password in the url; special characters are written %40, %2F, %3A",
    ),
    _Case(
        frozenset({1049}),
        "There is no database {database} on the server {place}",
        "correct the database's name in the url; SHOW DATABASES lists them",
    ),
    _Case(
        frozenset({1044, 1142, 1143, 1227, 1370, 1095, 1345}),
        "The user {user} lacks a right on the database {database} at {place}",
        "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON `{database}`.* TO that user",
    ),
    _Case(
        frozenset({1129, 1130}),
        "The database server {place} lets no one in from this machine",
        "let the user connect from here (CREATE USER ...@'host'); after errors: FLUSH HOSTS",
    ),
    _Case(
        frozenset({1153, 2020}),
        "The database server {place} cannot send a row that large",
        "SET GLOBAL max_allowed_packet = 1073741824 at the origin, then run the command again",
    ),
    _Case(
        frozenset({1251, 2059, 2061}),
        "The database server {place} wants a login that edgelift does not know",
        "give edgelift a user with mysql_native_password or caching_sha2_password",
    ),
    _Case(
        frozenset({1236}),
        "The server {place} no longer has the binary log that is needed",
        "copy anew; to keep more of it: SET GLOBAL binlog_expire_logs_seconds at the origin",
    ),
    _Case(
        frozenset({1412, 1146, 1054}),
        "The database {database} at {place} was altered while it was read",
        "wait until its migration is done; then run `edgelift schema` and the command again",
    ),
    _Case(
        frozenset({126, 127, 130, 1033, 1034, 1194, 1195, 1932, 145}),
        "A table of the database {database} at {place} is damaged",
        "see which: CHECK TABLE; restore or repair it, then run the same command again",
    ),
)
_UNKNOWN = _Case(
    frozenset(),
    "The database {database} at {place} cannot be read",
    "try the same statement with the server's own client; --debug shows it",
)
_TLS = _Case(
    frozenset({2026}),
    "No safe connection to the database server {place} comes about",
    "check the server's certificate; ssl_ca names the CA, ssl-mode=required skips the check",
)
# The server passes the system's error numbers on inside its own messages.
_FULL_WORDS = ("errno: 28", "No space left", "Disk full", "errcode: 28")


def to_origin_error(place: MySqlPlace, error: Exception, doing: str = "") -> OriginError:
    """Return the OriginError for what PyMySQL or a socket raised; `doing` says at what."""
    code, message = _read_error(error)
    case = _find_case(code, message, error)
    names = {"place": place, "user": place.user, "database": place.database}
    why = f"{message} ({code})" if code else message
    kind = OriginUnavailable if case.passing else OriginError
    return kind(
        case.what.format(**names),
        why=f"{doing}: {why}" if doing else why,
        tip=case.tip.format(**names),
    )


@contextlib.contextmanager
def origin_errors(place: MySqlPlace, doing: str = "") -> Iterator[None]:
    """Turn every error of the driver and the network in the block into an OriginError."""
    try:
        yield
    except (pymysql.Error, OSError) as error:
        raise to_origin_error(place, error, doing) from error


def _find_case(code: int, message: str, error: Exception) -> _Case:
    if isinstance(error, ssl.SSLError) or "SSL" in message or code == 2026:
        return _TLS
    if any(words in message for words in _FULL_WORDS):
        code = 1021
    if isinstance(error, OSError):
        code = 2013
    return next((case for case in _CASES if code in case.codes), _UNKNOWN)


def _read_error(error: Exception) -> tuple[int, str]:
    if isinstance(error, OSError):
        return 0, str(error.strerror or error) or type(error).__name__
    arguments = error.args
    if arguments[:1] == (0,):
        return 2006, "the connection is closed"
    if len(arguments) >= 2 and isinstance(arguments[0], int):
        return arguments[0], str(arguments[1])
    return 0, " ".join(map(str, arguments)) or type(error).__name__
