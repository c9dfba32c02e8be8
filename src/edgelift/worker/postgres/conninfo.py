"""Reads connection strings as libpq does (keyword/value and URI) and completes them.

PostgreSQL's documentation, "Database Connection Control Functions". Options that only libpq's own
inside needs are accepted and have no effect.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes


class ConninfoError(ValueError):
    """The connection string is malformed; the text is libpq's."""


class Option(NamedTuple):
    """An option of libpq, as PQconndefaults lists it."""

    keyword: str
    environment: str | None
    default: str | None
    label: str
    display: str = ""
    size: int = 20


OPTIONS = (
    Option("service", "PGSERVICE", None, "Database-Service"),
    Option("user", "PGUSER", None, "Database-User"),
    Option("password", "PGPASSWORD", None, "Database-Password", "*"),
    Option("passfile", "PGPASSFILE", None, "Database-Password-File", "", 64),
    Option("channel_binding", "PGCHANNELBINDING", "prefer", "Channel-Binding", "", 8),
    Option("connect_timeout", "PGCONNECT_TIMEOUT", None, "Connect-timeout", "", 10),
    Option("dbname", "PGDATABASE", None, "Database-Name"),
    Option("host", "PGHOST", None, "Database-Host", "", 40),
    Option("hostaddr", "PGHOSTADDR", None, "Database-Host-IP-Address", "", 45),
    Option("port", "PGPORT", "5432", "Database-Port", "", 6),
    Option("client_encoding", "PGCLIENTENCODING", None, "Client-Encoding", "", 10),
    Option("options", "PGOPTIONS", "", "Backend-Options", "", 40),
    Option("application_name", "PGAPPNAME", None, "Application-Name", "", 64),
    Option("fallback_application_name", None, None, "Fallback-Application-Name", "", 64),
    Option("keepalives", None, None, "TCP-Keepalives", "", 1),
    Option("keepalives_idle", None, None, "TCP-Keepalives-Idle", "", 10),
    Option("keepalives_interval", None, None, "TCP-Keepalives-Interval", "", 10),
    Option("keepalives_count", None, None, "TCP-Keepalives-Count", "", 10),
    Option("tcp_user_timeout", None, None, "TCP-User-Timeout", "", 10),
    Option("sslmode", "PGSSLMODE", "prefer", "SSL-Mode", "", 12),
    Option("sslnegotiation", "PGSSLNEGOTIATION", "postgres", "SSL-Negotiation", "", 9),
    Option("sslcompression", "PGSSLCOMPRESSION", "0", "SSL-Compression", "", 1),
    Option("sslcert", "PGSSLCERT", None, "SSL-Client-Cert", "", 64),
    Option("sslkey", "PGSSLKEY", None, "SSL-Client-Key", "", 64),
    Option("sslpassword", None, None, "SSL-Client-Key-Password", "*"),
    Option("sslrootcert", "PGSSLROOTCERT", None, "SSL-Root-Certificate", "", 64),
    Option("sslcrl", "PGSSLCRL", None, "SSL-Revocation-List", "", 64),
    Option("sslcrldir", "PGSSLCRLDIR", None, "SSL-Revocation-List-Dir", "", 64),
    Option("sslsni", "PGSSLSNI", "1", "SSL-SNI", "", 1),
    Option("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", "TLSv1.2", "SSL-Minimum-Protocol-Version", "", 8),  # noqa: E501
    Option("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", None, "SSL-Maximum-Protocol-Version", "", 8),  # noqa: E501
    Option("requirepeer", "PGREQUIREPEER", None, "Require-Peer", "", 10),
    Option("require_auth", "PGREQUIREAUTH", None, "Require-Auth", "", 14),
    Option("gssencmode", "PGGSSENCMODE", "prefer", "GSSENC-Mode", "", 8),
    Option("krbsrvname", "PGKRBSRVNAME", "postgres", "Kerberos-service-name"),
    Option("gsslib", "PGGSSLIB", None, "GSS-library", "", 7),
    Option("replication", None, None, "Replication", "D", 5),
    Option("target_session_attrs", "PGTARGETSESSIONATTRS", "any", "Target-Session-Attrs", "", 15),
    Option("load_balance_hosts", "PGLOADBALANCEHOSTS", "disable", "Load-Balance-Hosts", "", 8),
)  # fmt: skip
KEYWORDS = {option.keyword: option for option in OPTIONS}
_SCHEMES = ("postgresql://", "postgres://")
_SPACE = " \t\n\r\f\v"


def parse_conninfo(text: str) -> dict[str, str]:
    """Return the options that a connection string sets; raises ConninfoError."""
    found: dict[str, str] | None = None
    for scheme in _SCHEMES:
        if text.startswith(scheme):
            found = _parse_uri(text, text[len(scheme) :])
    if found is None:
        found = _parse_pairs(text)
    return {keyword: found[keyword] for keyword in KEYWORDS if keyword in found}


def _check_keyword(keyword: str) -> None:
    if keyword not in KEYWORDS:
        raise ConninfoError(f'invalid connection option "{keyword}"')


def _parse_pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position, size = 0, len(text)
    while True:
        while position < size and text[position] in _SPACE:
            position += 1
        if position >= size:
            return found
        start = position
        while position < size and text[position] not in _SPACE and text[position] != "=":
            position += 1
        keyword = text[start:position]
        while position < size and text[position] in _SPACE:
            position += 1
        if position >= size or text[position] != "=":
            raise ConninfoError(f'missing "=" after "{keyword}" in connection info string')
        position += 1
        while position < size and text[position] in _SPACE:
            position += 1
        value, position = _read_value(text, position)
        _check_keyword(keyword)
        found[keyword] = value


def _read_value(text: str, position: int) -> tuple[str, int]:
    quoted = text[position : position + 1] == "'"
    position += quoted
    parts: list[str] = []
    while position < len(text):
        char = text[position]
        if char == "\\" and position + 1 < len(text):
            position += 1
            parts.append(text[position])
        elif quoted and char == "'":
            return "".join(parts), position + 1
        elif not quoted and char in _SPACE:
            break
        elif char != "\\":
            parts.append(char)
        position += 1
    if quoted:
        raise ConninfoError("unterminated quoted string in connection info string")
    return "".join(parts), position


def _decode(text: str) -> str:
    for part in text.split("%")[1:]:
        if len(part) < 2 or not all(c in "0123456789abcdefABCDEF" for c in part[:2]):
            raise ConninfoError(f'invalid percent-encoded token: "{text}"')
        if part[:2] == "00":
            raise ConninfoError(f'forbidden value %00 in percent-encoded value: "{text}"')
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def _parse_uri(uri: str, rest: str) -> dict[str, str]:
    found: dict[str, str] = {}
    rest, _, query = rest.partition("?")
    authority, _, database = rest.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    if at:
        user, colon, password = credentials.partition(":")
        if user:
            found["user"] = _decode(user)
        if colon and password:
            found["password"] = _decode(password)
    pairs = [_split_host(uri, host) for host in hosts.split(",")]
    if any(host for host, _ in pairs):
        found["host"] = ",".join(host for host, _ in pairs)
    if any(port for _, port in pairs):
        found["port"] = ",".join(port for _, port in pairs)
    if database:
        found["dbname"] = _decode(database)
    for part in filter(None, query.split("&")):
        found.update([_read_query_part(part)])
    return found


def _split_host(uri: str, text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket:
            raise ConninfoError(
                f'end of string reached when looking for matching "]" in IPv6 host address in '
                f'URI: "{uri}"'
            )
        return host, rest[1:]
    host, _, port = text.partition(":")
    return _decode(host), _decode(port)


def _read_query_part(part: str) -> tuple[str, str]:
    name, separator, value = part.partition("=")
    if not separator:
        raise ConninfoError(f'missing key/value separator "=" in URI query parameter: "{part}"')
    if "=" in value:
        raise ConninfoError(f'extra key/value separator "=" in URI query parameter: "{name}"')
    name, value = _decode(name), _decode(value)
    if name == "ssl" and value == "true":
        return "sslmode", "require"
    if name not in KEYWORDS:
        raise ConninfoError(f'invalid URI query parameter: "{name}"')
    return name, value


def complete_conninfo(given: Mapping[str, str]) -> dict[str, str]:
    """Return options with the environment's and libpq's defaults below what is given."""
    found = {
        option.keyword: value
        for option in OPTIONS
        if (value := os.environ.get(option.environment or "", option.default)) is not None
    }
    found |= {key: value for key, value in given.items() if value != "" or key == "options"}
    if not found.get("user"):
        found["user"] = _read_user()
    found.setdefault("dbname", found["user"])
    found["dbname"] = found["dbname"] or found["user"]
    return {keyword: found[keyword] for keyword in KEYWORDS if keyword in found}


def _read_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a Worker has no users
        return "postgres"


class Address(NamedTuple):
    """One server to try: a host name or address, or the folder of a unix socket."""

    host: str
    address: str
    port: int

    @property
    def is_socket(self) -> bool:
        """Whether `host` is the folder of a unix socket."""
        return not self.address and self.host.startswith(("/", "@"))


def list_addresses(options: Mapping[str, str]) -> Iterator[Address]:
    """Yield the servers of complete options; raises ConninfoError for lists that do not fit."""
    hosts = options.get("host", "").split(",")
    addresses = options.get("hostaddr", "").split(",")
    count = max(len(hosts), len(addresses))
    ports = options.get("port", "5432").split(",")
    for name, values in (("host names", hosts), ("hostaddr values", addresses)):
        if len(values) not in {1, count} or (len(values) == 1 < count and values[0]):
            raise ConninfoError(f"could not match {len(values)} {name} to {count} hosts")
    if len(ports) not in {1, count}:
        raise ConninfoError(f"could not match {len(ports)} port numbers to {count} hosts")
    for index in range(count):
        host = hosts[index] if len(hosts) > 1 or index == 0 else ""
        address = addresses[index] if len(addresses) > 1 or index == 0 else ""
        port = ports[index] if len(ports) > 1 else ports[0]
        try:
            number = int(port or 5432)
        except ValueError as error:
            raise ConninfoError(f'invalid integer value "{port}" for option "port"') from error
        if not 1 <= number <= 65535:
            raise ConninfoError(f'invalid port number: "{port}"')
        yield Address(host or address or _default_host(), address, number)


def _default_host() -> str:
    for folder in ("/var/run/postgresql", "/tmp"):  # noqa: S108 - libpq's own default
        if any(Path(folder).glob(".s.PGSQL.*")):
            return folder
    return "localhost"


def startup_parameters(options: Mapping[str, str]) -> dict[str, str]:
    """Return what the startup message tells the server."""
    parameters = {"user": options["user"], "database": options["dbname"]}
    for keyword in ("replication", "options", "client_encoding"):
        if options.get(keyword):
            parameters[keyword] = options[keyword]
    name = options.get("application_name") or options.get("fallback_application_name")
    if name:
        parameters["application_name"] = name
    return parameters


def read_password(options: Mapping[str, str], address: Address) -> str | None:
    """Return the password of the options or of the password file (`~/.pgpass`), else None."""
    if options.get("password"):
        return options["password"]
    path = Path(options.get("passfile") or "~/.pgpass").expanduser()
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    host = "localhost" if address.is_socket else address.host
    wanted = (host, str(address.port), options["dbname"], options["user"])
    for line in lines:
        parts = line.replace("\\:", "\0").replace("\\\\", "\\").split(":")
        fields = [part.replace("\0", ":") for part in parts]
        if len(fields) == 5 and all(
            field in {"*", value} for field, value in zip(fields, wanted, strict=False)
        ):
            return fields[4]
    return None
