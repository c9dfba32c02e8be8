"""Generate requests from the inventory: every route, with real values, edge values and mistakes.

The order is a story that any two runs repeat: reads of every route, then writes, then the reads
again, which shows what the writes left behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from edgelift.model.flows import Flow, Headers, Request
from edgelift.model.inventory import Inventory, Route
from edgelift.stages.verify.inputs import build_bodies, build_queries
from edgelift.stages.verify.samples import Samples, Value

READS = ("GET",)
WRITES = ("POST", "PUT", "PATCH", "DELETE")
MOST_PER_ROUTE = 60
BASE_HEADERS: Headers = (
    ("User-Agent", "edgelift"),
    ("Accept", "application/json, text/html;q=0.9, */*;q=0.8"),
    ("Accept-Encoding", "gzip"),
)
# What a client can get wrong about a path parameter, by the framework's converter.
UNKNOWN = {"int": "987654321", "float": "98765.25", "uuid": "00000000-0000-4000-8000-000000000000"}
MALFORMED = {
    "int": ("abc", "-1", "0", "1.5", "99999999999999999999", "%20"),
    "float": ("abc", "-1.5", "nan", "1e400"),
    "uuid": ("not-a-uuid", "00000000-0000-4000-8000-00000000000"),
    "string": ("%20", "%27%20OR%201%3D1--", "%C3%BC%E2%98%83", "a%2Fb", "x" * 300, "%3Cb%3E", "-1"),
    "path": ("%20", "a//b", "..%2Fapp.py", "%C3%BC"),
}
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Generator:
    """What requests are made from; `headers` are the declared ones (credentials), may be empty."""

    inventory: Inventory
    samples: Samples
    headers: Mapping[str, str]
    static: Sequence[str] = ()
    files: Sequence[str] = ()

    def build(self) -> Flow:
        """Return the generated flow."""
        routes = [r for r in self.inventory.routes if not self._is_static(r)]
        requests = [request for route in routes for request in self._limit(self._read(route))]
        requests += self._static_files() + self._strangers()
        for method in WRITES:
            for route in routes:
                if method in route.methods:
                    requests += self._limit(self._write(route, method))
        if any(method in route.methods for route in routes for method in WRITES):
            requests += [
                self._request(route, "GET", path, "read after the writes")
                for route in routes
                if "GET" in route.methods
                for path in self._paths(route)[:2]
            ]
        return Flow(name="generated", source="generated", requests=tuple(requests))

    def _is_static(self, route: Route) -> bool:
        return any(route.rule.startswith(prefix) for prefix in self.static)

    @staticmethod
    def _limit(requests: Iterator[Request]) -> list[Request]:
        known: dict[tuple[str, str, bytes, Headers], Request] = {}
        for request in requests:
            known.setdefault(
                (request.method, request.target, request.body, request.headers), request
            )
        return list(known.values())[:MOST_PER_ROUTE]

    def _request(
        self, route: Route, method: str, path: str, purpose: str, **fields: object
    ) -> Request:
        headers = (*BASE_HEADERS, *self.headers.items())
        return Request(
            **{"headers": headers, **fields},  # type: ignore[arg-type]
            method=method,
            path=path,
            rule=route.rule,
            purpose=purpose,
        )

    # paths
    def hints(self, route: Route) -> list[str]:
        """Return the words near a route's parameters: fixed path segments, endpoint, neighbours."""
        words = re.split(r"[/{}._-]+", route.rule) + re.split(r"[._]+", route.endpoint)
        first = route.rule.split("/")[1]
        for other in self.inventory.routes:
            if other.rule.split("/")[1] == first:
                words += [name.removesuffix("_id") for name in other.parameters]
        return [word for word in words if word]

    def _values(self, route: Route, name: str) -> list[str]:
        found: list[Value] = self.samples.find(name, self.hints(route))
        if route.parameters[name] == "int":
            found = [value for value in found if isinstance(value, int)]
        safe = "/" if route.parameters[name] == "path" else ""
        return [quote(str(value), safe=safe) for value in found]

    def _fill(self, route: Route, values: Mapping[str, str]) -> str:
        return _PARAMETER.sub(lambda match: values[match.group(1)], route.rule)

    def _defaults(self, route: Route) -> dict[str, str]:
        return {
            name: next(iter(self._values(route, name)), UNKNOWN.get(kind, "1"))
            for name, kind in route.parameters.items()
        }

    def _paths(self, route: Route) -> list[str]:
        """Return the paths that should exist: real values, one parameter varied at a time."""
        defaults = self._defaults(route)
        paths = [self._fill(route, defaults)]
        for name in route.parameters:
            paths += [self._fill(route, {**defaults, name: v}) for v in self._values(route, name)]
        return list(dict.fromkeys(paths))

    def _wrong_paths(self, route: Route) -> Iterator[tuple[str, str]]:
        defaults = self._defaults(route)
        for name, kind in route.parameters.items():
            unknown = UNKNOWN.get(kind, "edgelift-unknown")
            yield self._fill(route, {**defaults, name: unknown}), f"unknown {name}"
            for value in MALFORMED.get(kind, MALFORMED["string"]):
                yield self._fill(route, {**defaults, name: value}), f"malformed {name}"

    # requests
    def _read(self, route: Route) -> Iterator[Request]:
        if "GET" not in route.methods:
            return
        paths = self._paths(route)
        for path in paths:
            yield self._request(route, "GET", path, "valid")
        if self.headers:
            yield self._request(route, "GET", paths[0], "no credentials", headers=BASE_HEADERS)
        plain = (*BASE_HEADERS[:2], *self.headers.items())
        yield self._request(route, "GET", paths[0], "no compression", headers=plain)
        yield self._request(route, "HEAD", paths[0], "valid")
        yield self._request(route, "OPTIONS", paths[0], "valid")
        yield self._wrong_method(route, paths[0])
        if paths[0] != "/":
            other = paths[0].rstrip("/") if paths[0].endswith("/") else f"{paths[0]}/"
            yield self._request(route, "GET", other, "other slash")
        for path, purpose in self._wrong_paths(route):
            yield self._request(route, "GET", path, purpose)
        for query, purpose in build_queries(route, self.samples, self.hints(route)):
            yield self._request(route, "GET", paths[0], purpose, query=query)

    def _wrong_method(self, route: Route, path: str) -> Request:
        taken = {m for r in self.inventory.routes if r.rule == route.rule for m in r.methods}
        method = next((m for m in ("DELETE", "PUT", "PATCH", "POST") if m not in taken), "TRACE")
        return self._request(route, method, path, "wrong method")

    def _write(self, route: Route, method: str) -> Iterator[Request]:
        paths = self._paths(route)
        credentials = tuple(self.headers.items())
        for body in build_bodies(route, self.samples, self.hints(route)):
            headers = (*BASE_HEADERS, *body.headers, *credentials)
            yield self._request(
                route, method, paths[0], body.purpose, headers=headers, body=body.content
            )
            if credentials and body.purpose.startswith("valid"):
                headers = (*BASE_HEADERS, *body.headers)
                yield self._request(
                    route, method, paths[0], "no credentials", headers=headers, body=body.content
                )
        for path, purpose in self._wrong_paths(route):
            yield self._request(route, method, path, purpose)
        for path in paths[1:]:
            yield self._request(route, method, path, "valid path, no body")
        if "GET" not in route.methods:
            yield self._request(route, "OPTIONS", paths[0], "valid")
            yield self._wrong_method(route, paths[0])

    def _static_files(self) -> list[Request]:
        """Return requests for one file of each static folder and for one that is not there.

        Django leaves its static files to the web server before it, so a file is not asked for.
        """
        requests = []
        for prefix in self.static:
            files = () if self.inventory.framework == "django" else self.files
            inside = [f"/{name}" for name in files if f"/{name}".startswith(f"{prefix}/")]
            for path in (*inside[:1], f"{prefix}/edgelift-missing.css"):
                rule = match_route(path, self.inventory.routes)
                requests += [
                    Request(
                        method=m, path=quote(path), headers=BASE_HEADERS, rule=rule, purpose="file"
                    )
                    for m in ("GET", "HEAD")
                ]
        return requests

    def _strangers(self) -> list[Request]:
        """Return requests for pages that do not exist; their rule is their path."""
        paths = ("/edgelift-no-such-page", "/edgelift/%C3%BC%E2%98%83", "/favicon.ico")
        return [
            Request(method=method, path=path, headers=BASE_HEADERS, purpose="unknown path")
            for path in paths
            for method in ("GET", "POST", "HEAD")
        ]


def match_route(path: str, routes: Sequence[Route]) -> str:
    """Return the rule that a recorded path belongs to, the most specific one, empty for none."""
    best = ""
    fewest = 99
    for route in routes:
        expression = ""
        for i, part in enumerate(_PARAMETER.split(route.rule)):
            kind = route.parameters.get(part, "string") if i % 2 else ""
            expression += (".+" if kind == "path" else "[^/]+") if i % 2 else re.escape(part)
        if re.fullmatch(expression, path) and len(route.parameters) < fewest:
            best, fewest = route.rule, len(route.parameters)
    return best
