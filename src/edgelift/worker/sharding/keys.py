"""Reads the key of a shard from a request: a header, the host, the path, the query or a cookie.

Forms are those of `from` in `[data.shards.route]`; model/shard_route.py checks them before the cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

Reader = Callable[["Asked"], list[str]]
_PLACE = re.compile(r"\{\w+\}")


class Asked(NamedTuple):
    """What of a request may hold a key: `path` is raw, names of `headers` are in lower case."""

    path: str
    query: str
    headers: list[tuple[str, str]]

    def read_headers(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value.strip(" \t") for known, value in self.headers if known == name]


def read_environ(environ: dict[str, Any]) -> Asked:
    """Return it of a WSGI environ."""
    headers = [
        (name[5:].replace("_", "-").lower(), _to_text(value))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    raw = environ.get("RAW_URI", "").partition("?")[0]
    return Asked(raw, environ.get("QUERY_STRING", ""), headers)


def read_scope(scope: dict[str, Any]) -> Asked:
    """Return it of an ASGI scope."""
    headers = [
        (name.decode("latin-1").lower(), value.decode("utf-8", "surrogateescape"))
        for name, value in scope["headers"]
    ]
    raw = scope["raw_path"].decode("latin-1")
    return Asked(raw, scope["query_string"].decode("latin-1"), headers)


def _to_text(value: str) -> str:
    """Return a native string of WSGI (bytes as Latin-1) as the text that the client sent."""
    return value if value.isascii() else value.encode("latin-1").decode("utf-8", "surrogateescape")


def read_key(readers: Iterable[Reader], asked: Asked) -> str:
    """Return the key of the first reader that finds one, "" when there is none.

    Raises ValueError when a request has several that differ.
    """
    for reader in readers:
        found = dict.fromkeys(key for key in reader(asked) if key)
        if len(found) > 1:
            raise ValueError(f"the request has {len(found)} different keys")
        if found:
            return next(iter(found))
    return ""


def build_reader(source: str) -> Reader:
    """Return what reads the key of `header:X-Tenant` and the like."""
    kind, _, place = source.partition(":")
    if kind == "header":
        return lambda asked: asked.read_headers(place.lower())
    if kind == "query":
        return lambda asked: [v for k, v in parse_qsl(asked.query) if k == place]
    if kind == "cookie":
        return lambda asked: list(_read_cookies(asked, place))
    if kind == "host":
        pattern = _build_pattern(place.lower(), r"([^.]+)")
        return lambda asked: _match(pattern.fullmatch, _read_host(asked))
    assert kind == "path", source
    pattern = _build_pattern(place, "([^/]+)")
    return lambda asked: [unquote(found) for found in _match(pattern.match, asked.path)]


def _build_pattern(place: str, part: str) -> re.Pattern[str]:
    before, after = _PLACE.split(place)
    # A path may end where its pattern does not go on but for a slash.
    end = r"(?:/|\Z)" if after == "/" else re.escape(after)
    return re.compile(re.escape(before) + part + end)


def _match(match: Callable[[str], re.Match[str] | None], text: str) -> list[str]:
    found = match(text)
    return [found[1]] if found else []


def _read_host(asked: Asked) -> str:
    """Return the host without a port, in lower case; "" where it is not told once."""
    hosts = asked.read_headers("host")
    return re.sub(r":\d+$", "", hosts[0].lower()).rstrip(".") if len(hosts) == 1 else ""


def _read_cookies(asked: Asked, name: str) -> Iterable[str]:
    for header in asked.read_headers("cookie"):
        for part in header.split(";"):
            known, equals, value = part.strip().partition("=")
            if equals and known == name:
                yield value.strip('"')
