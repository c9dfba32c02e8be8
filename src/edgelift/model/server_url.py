"""URLs of database servers (PostgreSQL, MySQL, MariaDB) as apps write them, taken apart.

`edgelift.toml` names them, plan judges them, build and the local runtime lead the Worker there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec

Engine = Literal["postgresql", "mysql"]
_ENGINES: dict[str, Engine] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "postgis": "postgresql",
    "pgsql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}
DEFAULT_PORTS: dict[Engine, int] = {"postgresql": 5432, "mysql": 3306}
LOOPBACK = "127.0.0.1"
# Options of drivers' URLs that ask for TLS, by engine: libpq, PyMySQL, mysqlclient, asyncpg.
_TLS_OPTIONS = {"sslmode", "ssl", "ssl_mode", "ssl-mode", "ssl_ca", "ssl_verify_cert", "tls"}
_NO_TLS = {"", "disable", "disabled", "allow", "prefer", "preferred", "false", "0", "no", "off"}
# Options that mean nothing, or do harm, between the Worker and Hyperdrive.
_TRANSPORT_OPTION = re.compile(r"^(ssl.*|tls|channel_binding|gssencmode|connect_timeout_ms)$")


class ServerUrl(msgspec.Struct, frozen=True, kw_only=True):
    """A server's database: where it is, as whom it is opened; `scheme` and `options` as written.

    `repr` shows no password.
    """

    scheme: str
    engine: Engine
    host: str
    port: int
    user: str
    password: str
    database: str
    options: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"ServerUrl({self.masked})"

    @property
    def address(self) -> str:
        """Return `host:port`; an IPv6 host is put into brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def masked(self) -> str:
        """Return the URL without credentials, for people."""
        return f"{self.scheme}://{self.address}/{self.database}"

    @property
    def needs_tls(self) -> bool:
        """Return whether the URL's own options insist on TLS."""
        return any(
            name.lower() in _TLS_OPTIONS and value.lower() not in _NO_TLS
            for name, value in self.options
        )

    def reveal(self) -> str:
        """Return the whole URL, with the password."""
        return self.with_parts()

    def with_parts(self, **parts: str | int) -> str:
        """Return the whole URL with some of its parts replaced."""
        new = msgspec.structs.replace(self, **parts)
        secret = f":{quote(new.password, safe='')}" if new.password else ""
        user = f"{quote(new.user, safe='')}{secret}@" if new.user or secret else ""
        options = f"?{urlencode(new.options)}" if new.options else ""
        name = quote(new.database, safe="")
        return f"{new.scheme}://{user}{new.address}/{name}{options}"

    def without_transport(self) -> ServerUrl:
        """Return it without the options about TLS, which Hyperdrive's own end decides."""
        kept = tuple((n, v) for n, v in self.options if not _TRANSPORT_OPTION.match(n.lower()))
        return msgspec.structs.replace(self, options=kept)


def find_engine(url: str) -> Engine | None:
    """Return the engine that a URL's scheme names, None when it is no server's."""
    scheme, separator, _ = url.partition("://")
    return _ENGINES.get(scheme.partition("+")[0].lower()) if separator else None


def parse_server_url(url: str, environment: Mapping[str, str] | None = None) -> ServerUrl | None:
    """Return the parts of a server's URL, None for any other URL or one without a database.

    `environment` gives what the client libraries would add: PGUSER, PGPASSWORD, PGHOST, PGPORT.
    """
    engine = find_engine(url)
    if engine is None:
        return None
    known = environment or {}
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    options = tuple(parse_qsl(parts.query, keep_blank_values=True))
    asked = {name: value for name, value in options if name in {"host", "port", "user", "password"}}
    rest = tuple((name, value) for name, value in options if name not in asked)
    is_postgres = engine == "postgresql"
    host = parts.hostname or asked.get("host") or (known.get("PGHOST", "") if is_postgres else "")
    told = port or asked.get("port") or (known.get("PGPORT") if is_postgres else None)
    user = unquote(parts.username or "") or asked.get("user", "")
    password = unquote(parts.password or "") or asked.get("password", "")
    if is_postgres:
        user, password = user or known.get("PGUSER", ""), password or known.get("PGPASSWORD", "")
    database = unquote(parts.path.lstrip("/"))
    if not database or not str(told or 0).isdigit():
        return None
    return ServerUrl(
        scheme=parts.scheme,
        engine=engine,
        host=host or LOOPBACK,
        port=int(told or DEFAULT_PORTS[engine]),
        user=user,
        password=password,
        database=database,
        options=rest,
    )
