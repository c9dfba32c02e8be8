"""Finds the variables of which an app puts the URL of its server together: DB_HOST, DB_USER, ..."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterable

from edgelift.model.inventory import EnvVariable
from edgelift.model.server_url import parse_server_url

_HOST = re.compile(r"HOST|SERVER|ADDR")
_PORT = re.compile(r"PORT")
_NAME = re.compile(r"DB|DATABASE|NAME")
_USER = re.compile(r"USER(_?NAME)?$|LOGIN$")
_PASSWORD = re.compile(r"PASS(WORD|WD)?$|PWD$")


def compose_url(url: str, variables: Iterable[EnvVariable]) -> str:
    """Return the URL with its parts as `${VARIABLE}`, "" where no variable sets its database.

    Host, port and name are known by their values; user and password, which `url` does not hold, by
    names that begin like the one of the database.
    """
    own = parse_server_url(url)
    if own is None:
        return ""
    values = {v.name: os.environ.get(v.name) or v.default or "" for v in variables}

    def find(pattern: re.Pattern[str], fits: Callable[[str], bool], like: str = "") -> str:
        found = [n for n in values if pattern.search(n.upper()) and fits(values[n])]
        near = [n for n in found if _shared(n, like) or not like]
        return max(near, key=lambda n: (_shared(n, like), n), default="")

    name = find(_NAME, lambda value: value == own.database)
    if not name:
        return ""
    host = find(_HOST, lambda value: value in {own.host, own.address}, name)
    port = find(_PORT, lambda value: value == str(own.port), name)
    user = find(_USER, lambda _value: True, name)
    password = find(_PASSWORD, lambda _value: True, name)
    at = f"${{{user}}}{f':${{{password}}}' if password else ''}@" if user else ""
    place = f"${{{host}}}" if host else own.host
    if not (host and values[host] == own.address) and f":{own.port}/" in url:
        place += f":${{{port}}}" if port else f":{own.port}"
    return f"{own.scheme}://{at}{place}/${{{name}}}"


def _shared(one: str, other: str) -> int:
    """Return how many letters two names begin with alike, 0 for fewer than two."""
    pairs = zip(one.upper(), other.upper(), strict=False)
    length = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return length if length > 1 else 0
