"""Turn what PostgreSQL and its connections say into errors with a next step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from edgelift.errors import OriginError, OriginUnavailable


class SnapshotLost(OriginUnavailable):
    """The connection that held a snapshot is gone: reading starts again with a new snapshot."""


class QueryCancelled(OriginUnavailable):
    """The server or its administrator ended a query: worth another run, but not at once."""

    at_once = False


# What libpq says before a server gave its SQLSTATE, in the order of looking.
_CONNECT_STATES = (
    ("Servname not supported", "url"),
    ("invalid port", "url"),
    ("invalid sslmode", "url"),
    ("invalid integer value", "url"),
    ("could not translate host name", "host"),
    ("failed to resolve host", "host"),
    ("does not support SSL", "tls"),
    ("certificate", "tls"),
    ("SSL", "tls"),
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("is not permitted to log in", "28000"),
    ("too many connections", "53300"),
    ("connection slots are reserved", "53300"),
    ("starting up", "57P03"),
    ("shutting down", "57P03"),
    ("in recovery mode", "57P03"),
    ("not yet accepting connections", "57P03"),
    ("permission denied for database", "42501"),
    ('database "', "3D000"),
    ('role "', "28000"),
    ("timeout expired", "down"),
    ("Connection refused", "down"),
    ("No such file or directory", "down"),
    ("closed the connection unexpectedly", "08006"),
    ("received invalid response", "alien"),
    ("expected authentication request", "alien"),
    ("unsupported frontend protocol", "alien"),
)

_TRANSIENT_CLASSES = ("08", "40", "57P", "53")


def read_state(error: psycopg.Error) -> str:
    """Return an error's SQLSTATE, or a word of ours for what happened before there was one."""
    if error.sqlstate:
        return error.sqlstate
    text = str(error)
    found = next((state for part, state in _CONNECT_STATES if part in text), "")
    if found == "3D000" and "does not exist" not in text:
        return ""
    return found or ("08006" if isinstance(error, psycopg.OperationalError) else "")


# State -> (what about `{place}`, tip, whether another try may help).
_MEANINGS: dict[str, tuple[str, str, bool]] = {
    "url": (
        "The url of {place} has a wrong value",
        "correct it: postgresql://user:password@host:5432/database?sslmode=require",
        False,
    ),
    "host": (
        "The host of {place} is not known",
        "correct the host in the url, or the name server of this machine",
        True,
    ),
    "down": (
        "{place} does not answer",
        "start the server, or correct host and port in the url",
        True,
    ),
    "alien": (
        "{place} does not speak PostgreSQL's protocol",
        "correct host and port in the url: another program listens there",
        False,
    ),
    "tls": (
        "No encrypted connection to {place}",
        "set sslmode, sslrootcert or sslcert in the url as the server demands",
        False,
    ),
    "28P01": (
        "{place} refuses the password",
        "correct user and password in the url (percent-encode @ : / in them)",
        False,
    ),
    "28000": (
        "{place} refuses the user",
        "correct the user in the url, or allow it from this machine in pg_hba.conf",
        False,
    ),
    "3D000": (
        "{place} does not exist",
        "correct the database's name at the end of the url; psql -l lists what there is",
        False,
    ),
    "53300": (
        "{place} has no free connection",
        "wait, or raise max_connections; edgelift needs two connections",
        True,
    ),
    "57P03": (
        "{place} is starting or stopping",
        "wait until it is up and run the same command again",
        True,
    ),
    "42501": (
        "The user has no right to read {place}",
        "GRANT USAGE ON SCHEMA ... TO user; GRANT SELECT ON ... TO user; or [schema] exclude it",
        False,
    ),
    "57014": (
        "A query on {place} was cancelled",
        "run it again when the server is less busy, or with a longer statement_timeout",
        True,
    ),
    "55P03": (
        "{place} is locked",
        "wait until the migration or VACUUM FULL that holds the lock is done, and run again",
        True,
    ),
    "53100": (
        "The disk of {place} is full",
        "free space on the server (sorts use its temporary files), then run again",
        True,
    ),
    "53400": (
        "A limit of {place} was reached",
        "raise the setting that the reason names on the server, then run again",
        True,
    ),
    "53200": ("{place} is out of memory", "run again when the server is less busy", True),
    "25P03": (
        "{place} ended the idle transaction",
        "allow it: ALTER ROLE user SET idle_in_transaction_session_timeout = 0",
        True,
    ),
    "40001": (
        "{place} gave the snapshot up",
        "copy from the primary, or raise max_standby_streaming_delay on this standby",
        True,
    ),
    "42P01": (
        "{place} is gone",
        "its schema changed meanwhile: run the schema stage again",
        False,
    ),
    "42703": (
        "A column of {place} is gone",
        "its schema changed meanwhile: run the schema stage again",
        False,
    ),
    "XX001": (
        "{place} is damaged on the server",
        "restore the table from a backup before you move it",
        False,
    ),
    "XX002": ("An index of {place} is damaged", "REINDEX it on the server, then run again", False),
    "22021": (
        "{place} holds text that is not in its own encoding",
        "mend the named value on the server, or exclude the column",
        False,
    ),
    "22P05": (
        "{place} holds a character that UTF-8 does not have",
        "mend the named value on the server, or exclude the column",
        False,
    ),
}


def to_origin_error(error: psycopg.Error, place: str) -> OriginError:
    """Return the OriginError for a failure; `place` names the database or table it was about."""
    return judge_error(read_state(error), _read_message(error), place)


def judge_error(state: str, why: str, place: str) -> OriginError:
    """Return the OriginError for a SQLSTATE, or one of our words before there was one."""
    if state == "22023" and "snapshot" in why:
        return lost(place, why)
    found = _MEANINGS.get(state)
    if found is not None:
        what, tip, again = found
        kind = QueryCancelled if state == "57014" else OriginUnavailable if again else OriginError
        return kind(_capital(what.format(place=place)), why=why, tip=tip)
    if state.startswith(_TRANSIENT_CLASSES):
        return OriginUnavailable(
            f"The connection to {place} was cut",
            why=why,
            tip="see that the server is up; the same command goes on where it stopped",
        )
    return OriginError(
        f"Reading {place} failed",
        why=f"{why} ({state or 'no SQLSTATE'})",
        tip="the server's log says more; exclude the object in edgelift.toml if it is not needed",
    )


_OF_THE_PROTOCOL = "unnamed portal"  # a context that says nothing to the user


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def lost(place: str, why: str) -> SnapshotLost:
    """Return the error for a snapshot whose holder is gone."""
    return SnapshotLost(
        f"The snapshot of {place} is gone",
        why=why,
        tip="run the same command again: it takes a new snapshot",
    )


def _read_message(error: psycopg.Error) -> str:
    diagnosis = error.diag
    if not diagnosis.message_primary:
        # libpq prefixes each address it tried; the last line is the server's own word.
        return str(error).strip() or type(error).__name__
    parts = [diagnosis.message_primary, diagnosis.message_detail, diagnosis.context]
    return "; ".join(part for part in parts if part and not part.startswith(_OF_THE_PROTOCOL))


@contextlib.contextmanager
def origin_errors(place: str) -> Iterator[None]:
    """Turn every psycopg error of the block into an OriginError about `place`."""
    try:
        yield
    except psycopg.Error as error:
        raise to_origin_error(error, place) from error
