"""Values a server gives out and wants back (ids, tokens, cookies), carried to the other server.

A recorded request holds what the recorded origin gave out. On replay, the value that this server
gave out at the same place of an earlier reply takes its place: first learned from each pair of
replies, then put into the later requests whose `bindings` name it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, unquote, urlencode

import msgspec

from edgelift.model.flows import Reply, Request
from edgelift.stages.verify.compare import is_json, parse_body, parse_cookie, read_text

# Numbers are bound only where the name says that they identify something.
_ID_NAME = re.compile(
    r"(^|[_-])(id|pk|key|uuid|guid|token|code|number|ref|slug)$|Id$|ID$", re.ASCII
)
_WORDS = re.compile(r"[\w.~+/=-]{8,}", re.ASCII)
SHORTEST_INSIDE = 8  # characters; a shorter value is only replaced where it stands alone


def read_values(reply: Reply) -> dict[str, str]:
    """Return what a reply gives out, by place: JSON leaves, headers, cookies, words of a text."""
    values = {}
    for name in ("location", "etag", "x-request-id", "authorization"):
        if reply.value(name):
            values[f"header.{name}"] = reply.value(name)
    for text in reply.values("set-cookie"):
        cookie, fields = parse_cookie(text)
        values[f"cookie.{cookie}"] = fields["value"]
    if not reply.body or reply.error:
        return values
    if is_json(reply):
        try:
            values.update(_read_leaves("body", "", parse_body(reply)))
        except ValueError:
            return values
    elif reply.value("content-type").startswith("text/html"):
        for number, word in enumerate(_WORDS.findall(read_text(reply))):
            values[f"word.{number}"] = word
    return values


def _read_leaves(place: str, name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _read_leaves(f"{place}.{key}", str(key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _read_leaves(f"{place}[{index}]", name, item)
    elif isinstance(value, str) and value:
        yield place, value
    elif type(value) is int and _ID_NAME.search(name):
        yield place, str(value)


def mark_bindings(requests: list[Request]) -> list[Request]:
    """Return recorded requests with the values marked that an earlier reply had given out."""
    given: set[str] = set()
    marked = []
    for request in requests:
        used = tuple(sorted(value for value in given if _holds(request, value)))
        marked.append(msgspec.structs.replace(request, bindings=used))
        if request.reply is not None:
            given |= {v for v in read_values(request.reply).values() if _is_bindable(v)}
    return marked


def _is_bindable(value: str) -> bool:
    return value.isdigit() or (len(value) >= 4 and value.isprintable() and "\n" not in value)


def _holds(request: Request, value: str) -> bool:
    if len(value) >= SHORTEST_INSIDE:
        texts = (request.path, request.query, request.body.decode("utf-8", "replace"))
        headers = (text for name, text in request.headers if name.lower() not in _FIXED_HEADERS)
        found = (*texts, *(unquote(text) for text in texts[:2]), *headers)
        return any(value in text for text in found)
    return replace_value(request, value, f"{value}\0") != request


_FIXED_HEADERS = frozenset({"accept", "accept-encoding", "content-type", "user-agent", "host"})


class Bindings:
    """The values of one server, by the value of the recorded server."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def learn(self, recorded: Reply | None, received: Reply) -> None:
        """Note every value that this server gave out in place of another."""
        if recorded is None:
            return
        own = read_values(received)
        for place, value in read_values(recorded).items():
            if place in own:
                self._values[value] = own[place]

    def apply(self, request: Request) -> Request:
        """Return the request with this server's values in place of the recorded ones."""
        for value in sorted(request.bindings, key=len, reverse=True):
            replacement = self._values.get(value, value)
            if replacement != value:
                request = replace_value(request, value, replacement)
        return request


def replace_value(request: Request, value: str, replacement: str) -> Request:
    """Return a request with a value replaced where it stands alone as segment, parameter or value.

    A value long enough to be unmistakable is also replaced inside longer texts.
    """
    inside = len(value) >= SHORTEST_INSIDE

    def swap(text: str) -> str:
        return (
            text.replace(value, replacement) if inside else replacement if text == value else text
        )

    def swap_quoted(text: str) -> str:
        plain = unquote(text)
        changed = swap(plain)
        return text if changed == plain else quote(changed, safe="")

    pairs = parse_qsl(request.query, keep_blank_values=True)
    changed = [(name, swap(text)) for name, text in pairs]
    return msgspec.structs.replace(
        request,
        path="/".join(swap_quoted(segment) for segment in request.path.split("/")),
        query=request.query if changed == pairs else urlencode(changed),
        headers=tuple(
            (name, text if name.lower() in _FIXED_HEADERS else swap(text))
            for name, text in request.headers
        ),
        body=_replace_in_body(request.body, value, replacement),
    )


def _replace_in_body(body: bytes, value: str, replacement: str) -> bytes:
    if len(value) >= SHORTEST_INSIDE:
        return body.replace(value.encode(), replacement.encode())
    try:
        document = json.loads(body) if body else None
    except ValueError:
        return body

    def swap(item: object) -> object:
        if isinstance(item, dict):
            return {key: swap(part) for key, part in item.items()}
        if isinstance(item, list):
            return [swap(part) for part in item]
        if item == value:
            return replacement
        if type(item) is int and str(item) == value and replacement.isdigit():
            return int(replacement)
        return item

    changed = swap(document)
    return body if changed == document else json.dumps(changed).encode()
