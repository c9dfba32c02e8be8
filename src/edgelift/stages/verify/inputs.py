"""Query strings and JSON bodies for generated requests: valid, at the edge, and wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from edgelift.model.flows import Headers
from edgelift.model.inventory import Route
from edgelift.stages.verify.samples import Samples, Value, to_singular

JSON_TYPE: Headers = (("Content-Type", "application/json"),)
_NUMBERS = re.compile(
    r"page|limit|offset|size|count|number|top|days|hours|minutes|year|month|age|min|max|id$|^n$"
)
_ORDERS = re.compile(r"sort|order|direction")
WRONG_VALUES: tuple[object, ...] = (
    *(None, "", 0, -1, 1.5, True, {}, [], "abc"),
    ["edgelift-unknown", -1, None, {}],
)
_MANY = 101  # one more than the usual limit of a batch


@dataclass(frozen=True)
class Body:
    """A request body with its own headers and what it tries."""

    content: bytes
    headers: Headers
    purpose: str


def build_queries(
    route: Route, samples: Samples, hints: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield query strings for a route with what each tries; one parameter is varied at a time."""
    valid: dict[str, str] = {}
    for name in route.query:
        values = _query_values(name, samples, hints)
        valid[name] = values[0][0]
        for value, purpose in values:
            yield urlencode({name: value}), f"{purpose} {name}"
        yield urlencode([(name, values[0][0]), (name, "2")]), f"repeated {name}"
    if len(valid) > 1:
        yield urlencode(valid), "all parameters"
    yield "edgelift_unknown=1", "unknown parameter"


def _query_values(name: str, samples: Samples, hints: Sequence[str]) -> list[tuple[str, str]]:
    lower = name.lower()
    if _ORDERS.search(lower):
        table = samples.find_table(hints)
        columns = [c.name for c in table.columns[:4]] if table else []
        names = [*columns, *(f"-{c}" for c in columns[:1]), "asc", "desc", "name"]
        return [*((n, "valid") for n in names), ("nonsense", "invalid"), ("", "empty")]
    found = [(str(value), "valid") for value in samples.find(name, hints)[:3]]
    if _NUMBERS.search(lower):
        numbers = [("1", "valid"), ("2", "valid"), ("25", "valid")]
        edges = [(v, "boundary") for v in ("0", "-1", "100", "101", "999999999", "9" * 20)]
        return [*found, *numbers, *edges, ("1.5", "invalid"), ("abc", "invalid"), ("", "empty")]
    words = [("1", "valid"), ("a", "valid"), ("true", "valid")]
    odd = [("ü☃", "unicode"), ("%_'\"\\", "odd"), ("x" * 200, "long"), ("", "empty")]
    return [*found, *words, *odd]


def build_bodies(route: Route, samples: Samples, hints: Sequence[str]) -> list[Body]:
    """Return bodies for a route that writes: valid guesses, then what a client gets wrong."""
    fields = {name: samples.find(name, hints) for name in route.json_fields}
    bodies = [
        _to_json({name: _one(name, values) for name, values in fields.items()}, "valid values"),
        _to_json({name: _several(name, values) for name, values in fields.items()}, "valid lists"),
        _to_json(
            {name: _natural(name, values) for name, values in fields.items()}, "valid, by name"
        ),
    ]
    natural = {name: _natural(name, values) for name, values in fields.items()}
    for name, values in fields.items():
        rest = {key: value for key, value in natural.items() if key != name}
        if rest:
            bodies.append(_to_json(rest, f"without {name}"))
        bodies += [
            _to_json({**natural, name: wrong}, f"{name} {json.dumps(wrong)}")
            for wrong in WRONG_VALUES
        ]
        many = [(values or [1])[i % len(values or [1])] for i in range(_MANY)]
        bodies.append(_to_json({**natural, name: many}, f"{name} with {_MANY} elements"))
    return [*bodies, *_build_wrong(natural)]


def _build_wrong(natural: dict[str, object]) -> list[Body]:
    text = json.dumps(natural).encode()
    plain: Headers = (("Content-Type", "text/plain"),)
    form: Headers = (("Content-Type", "application/x-www-form-urlencoded"),)
    return [
        Body(b"", (), "no body"),
        Body(b"", JSON_TYPE, "empty JSON body"),
        Body(b'{"a":', JSON_TYPE, "malformed JSON"),
        Body(text, plain, "wrong content type"),
        Body(text, (), "no content type"),
        Body(urlencode(natural, doseq=True).encode() or b"a=1", form, "form instead of JSON"),
        *(Body(b, JSON_TYPE, f"JSON {b.decode()}") for b in (b"{}", b"[]", b"null", b'"a"', b"1")),
        Body(b'{"a": "\xff"}', JSON_TYPE, "invalid UTF-8"),
        _to_json({**natural, "edgelift_unknown": 1}, "unknown field"),
    ]


def _to_json(value: object, purpose: str) -> Body:
    return Body(json.dumps(value).encode(), JSON_TYPE, purpose)


def _one(name: str, values: Sequence[Value]) -> Value:
    if values:
        return values[0]
    return 1 if _NUMBERS.search(name.lower()) else "edgelift"


def _several(name: str, values: Sequence[Value]) -> list[Value]:
    return list(values[:3]) or [_one(name, values)]


def _natural(name: str, values: Sequence[Value]) -> object:
    """Return a list for a name in the plural, else one value."""
    plural = to_singular(name) != name.lower()
    return _several(name, values) if plural else _one(name, values)
