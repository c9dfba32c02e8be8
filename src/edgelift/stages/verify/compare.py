"""Compare two replies to the same request: status, headers, cookies, compression, body.

Kinds of difference, the vocabulary of reports and of noise masks:

| kind | meaning |
|---|---|
| `no reply` | one side dropped the connection |
| `status` | the codes differ; the rest of the reply is then not compared |
| `header`, `header missing`, `header extra` | by name, whatever its case; values as text |
| `compression` | Content-Encoding differs |
| `cookie`, `cookie missing`, `cookie extra` | value or one attribute, by the cookie's name |
| `value`, `type`, `missing`, `extra`, `renamed`, `reordered`, `length`, `key order` | JSON |
| `json text` | the same JSON values, written differently |
| `not json` | one side's body is not JSON though its type says so |
| `line`, `line missing`, `line extra`, `lines`, `line ends` | texts, HTML included |
| `bytes` | all other bodies, by SHA-256 |
| `format`, `identity` | set by noise.py: noise in another form, or not the value given before |
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from edgelift.model.flows import Reply
from edgelift.stages.verify.formats import show
from edgelift.stages.verify.json_diff import Delta, JsonDiff
from edgelift.stages.verify.signed import read_signed
from edgelift.stages.verify.text_diff import compare_lines

# The only headers that are not compared, each with its reason.
IGNORED_HEADERS = {
    "date": "the moment of the reply",
    "server": "names the server, which is what changes",
    "connection": "concerns one hop (RFC 9110 7.6.1)",
    "keep-alive": "concerns one hop",
    "proxy-connection": "concerns one hop",
    "te": "concerns one hop",
    "trailer": "concerns one hop",
    "upgrade": "concerns one hop",
    "transfer-encoding": "framing; the body itself is compared",
    "content-length": "framing; the body itself is compared (compared for HEAD, which has none)",
    "set-cookie": "compared cookie by cookie",
    "content-encoding": "compared as compression",
}
# Lists whose order has no meaning (RFC 9110 10.2.1, 12.5.5; Fetch 3.2.3): compared as sets.
UNORDERED_HEADERS = frozenset(
    {
        "allow",
        "vary",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "access-control-expose-headers",
    }
)
# Files served by the assets binding keep their bytes and type; caching headers are the platform's.
STATIC_HEADERS = frozenset({"content-type"})
# A Worker's files have no times of their own: this one stands in the local runtime (TIMESTAMP_MS of
# filesystem.mjs). A reply that says so is a file sent by the app; what says its age is left out.
FILE_TIME = "Tue, 14 Nov 2023 22:13:20 GMT"
FILE_HEADERS = frozenset({"last-modified", "etag"})
_TEXT_TYPES = ("text/", "xml", "javascript", "x-www-form-urlencoded", "csv")


@dataclass(frozen=True)
class Conditions:
    """How two replies are compared: float difference allowed, what is noise, static or not."""

    tolerance: float = 0.0
    is_noise: Callable[[str], bool] = lambda _pattern: False
    static: bool = False


@dataclass(frozen=True)
class Comparison:
    """The differences of two replies, and the largest float difference that was forgiven."""

    deltas: tuple[Delta, ...]
    widest: float = 0.0


def compare_replies(
    method: str, origin: Reply, target: Reply, conditions: Conditions
) -> Comparison:
    """Return every difference of two replies, most telling first."""
    if origin.error or target.error:
        if bool(origin.error) == bool(target.error):
            return Comparison(())
        note = f"{origin.error or origin.status} != {target.error or target.status}"
        return Comparison((Delta("no reply", ("reply",), origin.error, target.error, note),))
    if origin.status != target.status:
        said = read_text(target)[:160] if target.status >= 400 else ""
        note = f"{origin.status} != {target.status}" + (
            f" (target said {show(said)})" if said else ""
        )
        return Comparison((Delta("status", ("status",), origin.status, target.status, note),))
    deltas = compare_headers(method, origin, target, static=conditions.static)
    if not conditions.static:
        deltas += compare_cookies(origin, target)
    body = _compare_bodies(origin, target, conditions)
    return Comparison((*deltas, *body.deltas), body.widest)


def compare_headers(method: str, origin: Reply, target: Reply, *, static: bool) -> list[Delta]:
    """Return the differences of the compared headers; repeated headers keep their order."""
    ignored = set(IGNORED_HEADERS) - ({"content-length"} if method == "HEAD" else set())
    if target.value("last-modified") == FILE_TIME:
        ignored |= {name for name in FILE_HEADERS if origin.value(name) and target.value(name)}
    names = {name.lower(): name for name, _ in (*target.headers, *origin.headers)}
    deltas = []
    for key, name in names.items():
        if key in ignored or (static and key not in STATIC_HEADERS):
            continue
        origin_values, target_values = origin.values(key), target.values(key)
        path = ("header", name.title() if name.islower() else name)
        if not target_values:
            deltas.append(Delta("header missing", path, ", ".join(origin_values), "<missing>"))
        elif not origin_values:
            deltas.append(Delta("header extra", path, "<missing>", ", ".join(target_values)))
        elif _normal(key, origin_values, static=static) != _normal(
            key, target_values, static=static
        ):
            deltas.append(Delta("header", path, ", ".join(origin_values), ", ".join(target_values)))
    codings = origin.value("content-encoding").lower(), target.value("content-encoding").lower()
    if codings[0] != codings[1] and not static:
        path = ("header", "Content-Encoding")
        deltas.append(Delta("compression", path, codings[0] or "none", codings[1] or "none"))
    return deltas


def _normal(key: str, values: list[str], *, static: bool) -> object:
    if static and key == "content-type":
        return [_plain_type(value) for value in values]
    if key not in UNORDERED_HEADERS:
        return values
    return {part.strip().lower() for value in values for part in value.split(",")}


def _plain_type(content_type: str) -> str:
    """Return a static file's type as the assets binding writes it.

    It names UTF-8 for text/* only; other text (XML, scripts, JSON) is UTF-8 without being told.
    """
    kind, _, parameter = content_type.lower().partition(";")
    is_default = not kind.startswith("text/") and parameter.strip() == "charset=utf-8"
    return kind.strip() if is_default else content_type.lower()


def parse_cookie(text: str) -> tuple[str, dict[str, str]]:
    """Return a Set-Cookie header's cookie name, and its value and attributes by lower-case name."""
    first, *attributes = (part.strip() for part in text.split(";"))
    name, _, value = first.partition("=")
    fields = {"value": value}
    for attribute in attributes:
        key, _, content = attribute.partition("=")
        fields[key.lower()] = content
    return name, fields


def compare_cookies(origin: Reply, target: Reply) -> list[Delta]:
    """Return the differences of the cookies that the two replies set; signed ones by content."""
    origin_cookies = dict(map(parse_cookie, origin.values("set-cookie")))
    target_cookies = dict(map(parse_cookie, target.values("set-cookie")))
    deltas = []
    for name in {**origin_cookies, **target_cookies}:
        before, after = origin_cookies.get(name), target_cookies.get(name)
        if before is None or after is None:
            kind = "cookie extra" if before is None else "cookie missing"
            deltas.append(
                Delta(
                    kind, ("cookie", name), show(before or "<missing>"), show(after or "<missing>")
                )
            )
            continue
        for key in {**before, **after}:
            pair = before.get(key, "<missing>"), after.get(key, "<missing>")
            said = (read_signed(pair[0]), read_signed(pair[1])) if key == "value" else (None, None)
            if said[0] is not None and said[1] is not None:
                deltas += JsonDiff().compare(said[0], said[1], at=("cookie", name, "signed"))
            elif pair[0] != pair[1]:
                deltas.append(Delta("cookie", ("cookie", name, key), *pair))
    return deltas


def decode_body(reply: Reply) -> bytes:
    """Return the body without its content codings; one that cannot be decoded as it is."""
    body = reply.body
    for coding in reversed(reply.value("content-encoding").lower().replace(" ", "").split(",")):
        try:
            if coding in {"gzip", "x-gzip"} and body:
                body = gzip.decompress(body)
            elif coding == "deflate" and body:
                body = zlib.decompress(body)
        except (OSError, EOFError, zlib.error):
            return reply.body
    return body


def read_text(reply: Reply) -> str:
    """Return the decoded body as text: its charset, else UTF-8, else Latin-1."""
    body = decode_body(reply)
    charset = reply.value("content-type").lower().partition("charset=")[2].strip(' "')
    for name in (charset, "utf-8"):
        try:
            return body.decode(name) if name else body.decode()
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode("latin-1")


def is_json(reply: Reply) -> bool:
    """Return whether the reply says that its body is JSON."""
    media = reply.value("content-type").partition(";")[0].strip().lower()
    return media.endswith(("/json", "+json"))


def parse_body(reply: Reply) -> object:
    """Return the JSON value of a body; raises ValueError when it is none."""
    return json.loads(decode_body(reply))


def parse_events(text: str) -> list[dict[str, object]]:
    """Return the complete events of an event stream, with their data parsed where it is JSON."""
    events = []
    for block in text.replace("\r\n", "\n").split("\n\n")[:-1]:
        event: dict[str, object] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            event[name] = f"{event[name]}\n{value.strip()}" if name in event else value.strip()
        with contextlib.suppress(ValueError):
            event["data"] = json.loads(str(event.get("data", "")))
        events.append(event)
    return events


def _compare_bodies(origin: Reply, target: Reply, conditions: Conditions) -> Comparison:
    origin_body, target_body = decode_body(origin), decode_body(target)
    if origin_body == target_body:
        return Comparison(())
    media = origin.value("content-type").lower()
    if is_json(origin):
        return _compare_json(origin, target, conditions)
    if media.startswith("text/event-stream"):
        first, second = parse_events(read_text(origin)), parse_events(read_text(target))
        if origin.cut or target.cut:  # as many events as both had sent when the reading ended
            shared = min(len(first), len(second))
            first, second = first[:shared], second[:shared]
        diff = JsonDiff(conditions.tolerance, conditions.is_noise)
        return Comparison(tuple(diff.compare(first, second)), diff.widest)
    if any(kind in media for kind in _TEXT_TYPES):
        return Comparison(tuple(compare_lines(read_text(origin), read_text(target))))
    note = f"{_describe(origin_body)} != {_describe(target_body)}"
    return Comparison((Delta("bytes", ("body",), origin_body, target_body, note),))


def _describe(body: bytes) -> str:
    return f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()[:16]}"


def _compare_json(origin: Reply, target: Reply, conditions: Conditions) -> Comparison:
    texts = read_text(origin), read_text(target)
    values = []
    for text in texts:
        try:
            values.append(json.loads(text))
        except ValueError:
            delta = Delta("not json", ("body",), texts[0], texts[1])
            return Comparison((delta,))
    diff = JsonDiff(conditions.tolerance, conditions.is_noise)
    deltas = diff.compare(*values)
    if not deltas and not diff.widest:
        place = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), 0)
        around = [show(text[max(0, place - 10) : place + 30]) for text in texts]
        note = f"the same JSON values, written differently: {around[0]} != {around[1]}"
        deltas = [Delta("json text", ("body",), texts[0], texts[1], note)]
    return Comparison(tuple(deltas), diff.widest)
