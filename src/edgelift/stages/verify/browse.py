"""Walks through the origin as a person with a browser does, and records it as a flow.

Links are followed, forms are filled in and sent, cookies are kept: an account is registered and
logged in where the app has such pages. What the pages gave out (tokens, sessions) is bound, so that
a replay uses what its own side gave out. Apps without HTML forms give an empty flow.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import msgspec

from edgelift.model.flows import Flow, Headers, Reply, Request
from edgelift.model.inventory import Inventory
from edgelift.stages.verify.binding import mark_bindings
from edgelift.stages.verify.client import HOST, Client
from edgelift.stages.verify.compare import parse_cookie, read_text
from edgelift.stages.verify.forms import Form, describe_manners, encode, read_page
from edgelift.stages.verify.generate import match_route

BROWSED = "browsed"
HEADERS: Headers = (
    ("User-Agent", "edgelift"),
    ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
)
# Registering shows in the first round, what only a user sees in the second, changes in the third.
ROUNDS = 3
MOST_REQUESTS = 240
MOST_PATHS = 2  # of one route in a round
MOST_REDIRECTS = 5
# What ends a session or takes things away comes last.
_ENDING = re.compile(r"(log|sign)[-_]?out|deactivate", re.IGNORECASE)
_LEAVING = re.compile(rf"{_ENDING.pattern}|delete|remove|destroy", re.IGNORECASE)


@dataclass
class Browser:
    """One person with one browser; `requests` are what was asked and what the origin said.

    `headers` are the declared ones (credentials), `static` the prefixes that hold no pages.
    """

    client: Client
    inventory: Inventory
    headers: Mapping[str, str]
    static: Sequence[str] = ()
    requests: list[Request] = field(default_factory=list)
    _cookies: dict[str, str] = field(default_factory=dict)
    _tried: set[tuple[str, str, tuple[str, ...], str]] = field(default_factory=set)
    _later: dict[str, Form | None] = field(default_factory=dict)

    def walk(self) -> Flow:
        """Return what was done as a flow, an empty one when no form was sent."""
        for number in range(1, ROUNDS + 1):
            before = len(self.requests)
            self._walk_round(number)
            sent = any(request.method != "GET" for request in self.requests[before:])
            if not sent:
                break
        self._leave()
        if all(request.method == "GET" for request in self.requests):
            self.requests = []
        return Flow(name=BROWSED, source=BROWSED, requests=tuple(mark_bindings(self.requests)))

    def _walk_round(self, number: int) -> None:
        queue = self._pages()
        seen: set[str] = set()
        counts: Counter[str] = Counter()
        while queue and len(self.requests) < MOST_REQUESTS:
            target = queue.pop(0)
            rule = match_route(urlsplit(target).path, self.inventory.routes)
            if target in seen or not rule or target.startswith(tuple(self.static)):
                continue
            seen.add(target)
            if _LEAVING.search(target):
                self._later.setdefault(target, None)
                continue
            counts[rule] += 1
            if counts[rule] > MOST_PATHS:
                continue
            place, reply = self._visit("GET", target, f"page, round {number}")
            links, forms = self._read(reply)
            queue += [link for href in links if (link := _resolve(place, href))]
            for form in forms:
                self._send_all(place, form, number)

    def _read(self, reply: Reply) -> tuple[list[str], list[Form]]:
        if "html" not in reply.value("content-type"):
            return [], []
        return read_page(read_text(reply))

    def _send_all(self, place: str, form: Form, number: int) -> None:
        """Send a form in every manner that is new, and filled in once per round."""
        action = _resolve(place, form.action or place)
        if action is None:
            return
        if _LEAVING.search(action):
            self._later.setdefault(action, form)
            return
        rule = match_route(urlsplit(action).path, self.inventory.routes)
        for manner in describe_manners(form):
            when = str(number) if manner == "filled" else ""
            key = (f"{form.method} {rule}", manner, form.names, when)
            if key not in self._tried and len(self.requests) < MOST_REQUESTS:
                self._tried.add(key)
                self._send(action, form, manner)

    def _send(self, action: str, form: Form, manner: str) -> None:
        headers, body = encode(form, form.fill(manner))
        if form.method == "POST":
            self._visit("POST", action, f"form {manner}", headers, body)
        else:
            query = encode(Form(), form.fill(manner))[1].decode()
            self._visit("GET", f"{urlsplit(action).path}?{query}", f"form {manner}")

    def _leave(self) -> None:
        """Send what takes things away, then what ends the session, then look at what is left."""
        later = sorted(self._later.items(), key=lambda entry: bool(_ENDING.search(entry[0])))
        for target, form in later:
            if form is not None:
                self._send(target, form, "filled")
            else:
                self._visit("GET", target, "leaving")
        for target in self._pages() if later else ():
            if not _LEAVING.search(target):
                self._visit("GET", target, "page after leaving")

    def _pages(self) -> list[str]:
        """Return the pages that have an address without parameters."""
        return [
            route.rule
            for route in self.inventory.routes
            if "GET" in route.methods and not route.parameters
        ]

    def _visit(
        self, method: str, target: str, purpose: str, headers: Headers = (), body: bytes = b""
    ) -> tuple[str, Reply]:
        """Ask for a page, follow its redirects, and return where that led and the last reply."""
        reply = self._ask(method, target, purpose, headers, body)
        for _ in range(MOST_REDIRECTS):
            location = _resolve(target, reply.value("location"))
            if reply.status not in {301, 302, 303, 307, 308} or location is None:
                break
            target = location
            reply = self._ask("GET", target, "redirect")
        return target, reply

    def _ask(
        self, method: str, target: str, purpose: str, headers: Headers = (), body: bytes = b""
    ) -> Reply:
        path, _, query = target.partition("?")
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        request = Request(
            method=method,
            path=path,
            query=query,
            headers=(
                *HEADERS,
                *self.headers.items(),
                *headers,
                *((("Cookie", cookies),) if cookies else ()),
            ),
            body=body,
            rule=match_route(path, self.inventory.routes),
            purpose=purpose,
        )
        reply = self.client.send(request)
        for text in reply.values("set-cookie"):
            self._keep_cookie(*parse_cookie(text))
        self.requests.append(msgspec.structs.replace(request, reply=reply))
        return reply

    def _keep_cookie(self, name: str, fields: dict[str, str]) -> None:
        gone = fields.get("max-age") == "0" or " 1970 " in fields.get("expires", "")
        if gone or not fields["value"]:
            self._cookies.pop(name, None)
        else:
            self._cookies[name] = fields["value"]


def _resolve(place: str, href: str) -> str | None:
    """Return path and query of a link on a page, None when it leads to another site or nowhere."""
    if not href or href.startswith(("#", "mailto:", "javascript:", "tel:", "data:")):
        return None
    parts = urlsplit(urljoin(f"http://{HOST}{place}", href))
    if parts.scheme not in {"http", "https"} or parts.netloc != HOST:
        return None
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
