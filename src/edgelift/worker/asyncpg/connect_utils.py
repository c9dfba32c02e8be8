"""asyncpg's connection parameters: keywords, URLs and the environment become libpq's options."""

from __future__ import annotations

import inspect
import ssl as ssl_module
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from edgelift.worker.postgres.conninfo import (
    KEYWORDS,
    ConninfoError,
    complete_conninfo,
    parse_conninfo,
)
from edgelift.worker.postgres.transport import ConnectError, build_context

from .exceptions import ClientConfigurationError

# Query parameters of a URL that are the connection's own; all others are the server's settings.
_SYNONYMS = {"username": "user", "database": "dbname"}


def _read_url(dsn: str) -> tuple[dict[str, str], dict[str, str]]:
    parts = urlsplit(dsn)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ClientConfigurationError(
            'invalid DSN: scheme is expected to be either "postgresql" or "postgres", '
            f"got {parts.scheme!r}"
        )
    settings = {}
    own = []
    for name, value in parse_qsl(parts.query, strict_parsing=bool(parts.query)):
        name = _SYNONYMS.get(name, name)  # noqa: PLW2901 - the same parameter
        if name in KEYWORDS:
            own.append((name, value))
        else:
            settings[name] = value
    try:
        options = parse_conninfo(parts._replace(query="", scheme="postgresql").geturl())
    except ConninfoError as error:
        raise ClientConfigurationError(f"invalid DSN: {error}") from None
    return {**options, **dict(own)}, settings


def _join(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


async def read_parameters(dsn: str | None, given: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Return libpq's options, the server's settings and the TLS settings of a connect call."""
    options, settings = _read_url(dsn) if dsn else ({}, {})
    names = {"host": "host", "port": "port", "user": "user", "database": "dbname"}
    for name, keyword in names.items():
        value = _join(given.get(name))
        if value is not None:
            options[keyword] = value
    password = given.get("password")
    if callable(password):
        password = password()
    if inspect.isawaitable(password):
        password = await password
    if password is not None:
        options["password"] = str(password)
    if given.get("passfile"):
        options["passfile"] = str(given["passfile"])
    settings = {**settings, **(given.get("server_settings") or {})}
    complete = complete_conninfo(options)
    return complete, settings, _read_tls(complete, given.get("ssl"), "sslmode" in options)


def _read_tls(options: dict[str, str], given: Any, has_mode: bool) -> Any:
    """Return an SSLContext, None for a plain connection; notes the mode in the options."""
    if isinstance(given, ssl_module.SSLContext):
        options["sslmode"] = "require"
        return given
    if given is True:
        options["sslmode"] = "verify-full"
    elif given is False:
        options["sslmode"] = "disable"
    elif isinstance(given, str):
        if given not in {"disable", "prefer", "allow", "require", "verify-ca", "verify-full"}:
            raise ClientConfigurationError(
                "`sslmode` parameter must be one of: disable, allow, prefer, require, "
                "verify-ca, verify-full"
            )
        options["sslmode"] = given
    elif not has_mode and "sslmode" not in options:
        options["sslmode"] = "prefer"
    if options.get("sslmode", "prefer") in {"disable", "allow"}:
        return None
    try:
        return build_context(options)
    except ConnectError as error:
        raise ClientConfigurationError(str(error)) from None


def check_keys(dsn: Any) -> None:
    """Raise ClientConfigurationError for a DSN that is no URL."""
    if dsn is not None and "://" not in dsn:
        raise ClientConfigurationError(
            'invalid DSN: scheme is expected to be either "postgresql" or "postgres", got \'\''
        )
