"""How a request finds its shard: `[data.shards.route]` of edgelift.toml, which build tells.

`worker/sharding` obeys it; plan refuses a lift of a sharded database without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^`|~-]+")
_NAME = re.compile(r"[^\s;,=]+")
_PATTERN = re.compile(r"[^{}]*\{\w+\}[^{}]*")
KINDS = ("header", "host", "path", "query", "cookie")


class RouteSection(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    rename={"sources": "from"},
):
    """`[data.shards.route]`: where the key of a request stands, and what is done without one.

    `from` is `header:NAME`, `query:NAME`, `cookie:NAME`, `host:{tenant}.example.org` or
    `path:/t/{tenant}/`, or a list of which the first that is there counts; instead of it `call`
    names a function of the app, `module:function`, that returns the key of a WSGI environ or an
    ASGI scope. A request without a key is refused (`missing`), or reads what every shard holds
    (`replicated`), or has the key `default`. A tenant that the map does not know is refused, or
    spread by hash (`unknown`). `status` is that of refusals. Jobs run once for `each` shard, or
    `once` without any.
    """

    sources: str | tuple[str, ...] = ()
    call: str = ""
    missing: Literal["refuse", "replicated", "default"] = "refuse"
    default: str = ""
    unknown: Literal["refuse", "spread"] = "refuse"
    status: int = 400
    jobs: Literal["each", "once"] = "each"

    @property
    def listed(self) -> tuple[str, ...]:
        """Return the sources as a list."""
        return (self.sources,) if isinstance(self.sources, str) else self.sources

    def find_faults(self) -> Iterator[str]:
        """Yield what is wrong with it."""
        place = "data.shards.route"
        if bool(self.listed) == bool(self.call):
            yield f"{place} needs either from or call"
        for source in self.listed:
            if fault := _find_fault(source):
                yield f"{place}.from {source!r} {fault}"
        module, colon, name = self.call.partition(":")
        if self.call and not (colon and _is_path(module) and _is_path(name)):
            yield f"{place}.call is {self.call!r}; write module:function"
        if (self.missing == "default") != bool(self.default):
            yield f"{place}: missing = 'default' and a default belong together"
        if not 400 <= self.status <= 599:
            yield f"{place}.status is {self.status}; 400 to 599 are allowed"


def _is_path(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _find_fault(source: str) -> str:
    """Return what is wrong with one source, "" for nothing."""
    kind, _, place = source.partition(":")
    if kind == "jwt":
        return (
            "would believe a claim that nobody has verified; name a function of the app that "
            "checks the token: call"
        )
    if kind not in KINDS:
        return f"begins with none of {', '.join(KINDS)}"
    if kind in {"host", "path"}:
        if not _PATTERN.fullmatch(place):
            return "needs one {place} for the key"
        return "does not begin with a slash" if kind == "path" and place[0] != "/" else ""
    if kind == "header":
        return "" if _HEADER.fullmatch(place) else "needs a header's name, without underscores"
    return "" if _NAME.fullmatch(place) else "has no name"
