"""The URL of a MySQL or MariaDB database, read into what a connection needs."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from edgelift.errors import OriginError, UsageError

PORT = 3306
TLS_MODES = ("disabled", "preferred", "required", "verify-ca", "verify-identity")
_TRUE = {"1", "true", "yes", "on"}
_TIP = "write the url like mysql://user:password@host:3306/database?ssl-mode=required"


@dataclass(frozen=True, kw_only=True)
class MySqlPlace:
    """Where a database is and how to get in; times in seconds.

    `tls` is one of TLS_MODES; `preferred` takes what the server offers. `ca`, `certificate` and
    `key` are PEM files.
    """

    host: str
    user: str
    database: str
    port: int = PORT
    password: str = field(default="", repr=False)
    socket: str = ""
    tls: str = "preferred"
    ca: str = ""
    certificate: str = ""
    key: str = ""
    connect_timeout_s: int = 10
    read_timeout_s: int = 3600

    def __str__(self) -> str:
        return self.socket or f"{self.host}:{self.port}"

    def build_arguments(self) -> dict[str, Any]:
        """Return the arguments of pymysql.connect; raises OriginError for unreadable TLS files."""
        arguments: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            # PyMySQL encodes text as Latin-1; the server wants UTF-8.
            "password": self.password.encode(),
            "database": self.database,
            "charset": "utf8mb4",
            "connect_timeout": self.connect_timeout_s,
            "read_timeout": self.read_timeout_s,
            "write_timeout": self.read_timeout_s,
            "program_name": "edgelift",
            "autocommit": True,
        }
        if self.socket:
            arguments["unix_socket"] = self.socket
        if self.tls == "disabled":
            arguments["ssl_disabled"] = True
        elif self.tls != "preferred":
            arguments["ssl"] = self._build_tls()
        return arguments

    def _build_tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key or None)
        except OSError as error:
            raise OriginError(
                f"The TLS files for the database at {self} cannot be used",
                why=f"{self.ca or self.certificate}: {error}",
                tip="correct ssl_ca, ssl_cert and ssl_key in the url; they name PEM files",
            ) from error
        # Certificates that MySQL makes for itself break the strict rules of RFC 5280.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = self.tls == "verify-identity"
        if self.tls == "required":
            context.verify_mode = ssl.CERT_NONE
        return context


def read_place(url: str) -> MySqlPlace:
    """Return what a URL says; raises UsageError for one that lacks a database or makes no sense."""
    parts = urlsplit(url)
    database = unquote(parts.path.lstrip("/"))
    if not database:
        raise UsageError(
            "The URL of the MySQL database names no database",
            why="behind the host there is no /database",
            tip=_TIP,
        )
    try:
        port = parts.port or PORT
    except ValueError as error:
        raise UsageError(
            "The URL of the MySQL database has no valid port", why=str(error), tip=_TIP
        ) from error
    options = {name.lower().replace("-", "_"): value for name, value in parse_qsl(parts.query)}
    return MySqlPlace(
        host=unquote(parts.hostname or "localhost"),
        port=port,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
        database=database,
        socket=options.get("unix_socket", options.get("socket", "")),
        tls=_read_tls(options),
        ca=options.get("ssl_ca", options.get("sslrootcert", "")),
        certificate=options.get("ssl_cert", options.get("sslcert", "")),
        key=options.get("ssl_key", options.get("sslkey", "")),
        connect_timeout_s=_read_number(options, "connect_timeout", 10),
        read_timeout_s=_read_number(options, "read_timeout", 3600),
    )


def _read_tls(options: Mapping[str, str]) -> str:
    named = options.get("ssl_mode", options.get("sslmode", "")).lower().replace("_", "-")
    named = {"verify-full": "verify-identity", "require": "required", "disable": "disabled"}.get(
        named, named
    )
    if named:
        if named not in TLS_MODES:
            raise UsageError(
                f"The URL of the MySQL database asks for ssl-mode={named}",
                why=f"known are {', '.join(TLS_MODES)}",
                tip=_TIP,
            )
        return named
    if options.get("ssl_disabled", "").lower() in _TRUE:
        return "disabled"
    if {options.get(name, "").lower() for name in _IDENTITY} & _TRUE:
        return "verify-identity"
    if options.get("ssl_ca") or options.get("ssl_verify_cert", "").lower() in _TRUE:
        return "verify-ca"
    wanted = options.get("ssl_cert") or options.get("ssl", "").lower() in _TRUE
    return "required" if wanted else "preferred"


# Two spellings: PyMySQL's and SQLAlchemy's.
_IDENTITY = ("ssl_verify_identity", "ssl_check_hostname")


def _read_number(options: Mapping[str, str], name: str, default: int) -> int:
    given = options.get(name, "")
    if given and not (given.isdecimal() and 0 < int(given) < 10**6):
        raise UsageError(
            f"The URL of the MySQL database has {name}={given}",
            why="it takes seconds as a whole number",
            tip=_TIP,
        )
    return int(given) if given else default
