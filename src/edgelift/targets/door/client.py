"""Asks the door of a deployed sql project (js/sql_door.mjs): one database, messages as JSON.

What may pass is tried again: messages are numbered, so one that came in twice is applied once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from edgelift.errors import TargetError, TargetUnavailable, UsageError

SECRET_VARIABLE = "EDGELIFT_LOAD_SECRET"  # noqa: S105 - a variable's name
SHORTEST_SECRET = 20
TRIES = 5
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0)
_TIMEOUT = httpx.Timeout(300.0, connect=20.0)  # indexes of a large database take their time
_PASSES = frozenset({429, 502, 503, 504, 520, 521, 522, 523, 524})
_WORDS = {
    "state": "tell its state",
    "begin": "begin a load",
    "rows": "take rows",
    "settle": "put its rows in place",
    "open": "be opened",
    "place": "tell what was applied",
    "apply": "apply changes",
    "read": "be read",
    "page": "be read",
    "sum": "hash its rows",
}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Answer(msgspec.Struct, frozen=True):
    """What a database tells; which fields there are depends on the question."""

    state: str = ""
    identity: str = ""
    done: int = 0
    rows: int | str = 0
    bytes: int = 0
    hash: str = ""
    last: list[Any] = []
    number: int = 0
    token: str = ""
    again: bool = False
    cells: list[list[Any]] = []
    refused: str = ""
    failed: str = ""


def check_door(url: str, secret: str) -> None:
    """Raise UsageError for an address or a secret that cannot be right."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(
            f"The address {url} is none of a Worker",
            why="it does not begin with https:// and a host",
            tip="give the address that wrangler prints when it deploys the sql project",
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise UsageError(
            f"Rows are not sent to {url}",
            why="without TLS everybody on the way could read them and the secret",
            tip="give the address with https://",
        )
    if len(secret) < SHORTEST_SECRET:
        state = "is not set" if not secret else f"has {len(secret)} characters"
        raise UsageError(
            "There is no secret for the sql project's door",
            why=f"the variable {SECRET_VARIABLE} {state}; it must have {SHORTEST_SECRET} or more",
            tip=f"export {SECRET_VARIABLE} as it was given to: wrangler secret put "
            f"{SECRET_VARIABLE}",
        )


@dataclass
class Door:
    """The way to the database `target` of a sql project at `url`; `wait` sleeps between tries."""

    client: httpx.Client
    url: str
    secret: str
    binding: str
    target: str
    note: Callable[[str], None]
    wait: Callable[[float], None] = time.sleep

    def ask(self, verb: str, message: bytes | Mapping[str, Any], *, tries: int = 0) -> Answer:
        """Send a message and return the answer; trouble that may pass is waited for `tries` times.

        Raises TargetUnavailable, TargetError when the object refuses or SQLite does.
        """
        body = message if isinstance(message, bytes) else msgspec.json.encode(message)
        for number in range(tries + 1):
            try:
                return self._ask_once(verb, body)
            except TargetUnavailable as error:
                if number == tries:
                    raise
                pause = PAUSES_S[min(number, len(PAUSES_S) - 1)]
                self.note(f"{error.what}: {error.why}; trying again in {pause:g} s")
                self.wait(pause)
        raise AssertionError

    def _ask_once(self, verb: str, body: bytes) -> Answer:
        address = f"{self.url.rstrip('/')}/load/{self.binding}/{verb}?object={quote(self.target)}"
        headers = {"authorization": f"Bearer {self.secret}", "content-type": "application/json"}
        try:
            reply = self.client.post(address, content=body, headers=headers, timeout=_TIMEOUT)
        except httpx.HTTPError as error:
            raise TargetUnavailable(
                f"The databases at {self.url} cannot be reached",
                why=str(error) or type(error).__name__,
                tip="check the address and that it is deployed; what was applied stays: run the "
                "same command again",
            ) from error
        return self._read(reply, verb)

    def _read(self, reply: httpx.Response, verb: str) -> Answer:
        if reply.status_code in _PASSES:
            raise TargetUnavailable(
                f"The databases at {self.url} do not answer now",
                why=f"HTTP {reply.status_code}",
                tip="run the same command again later; what was applied stays",
            )
        try:
            answer = msgspec.json.decode(reply.content, type=Answer)
        except msgspec.DecodeError as error:
            raise TargetError(
                f"There is no door for rows at {self.url}",
                why=f"it answers HTTP {reply.status_code}: not a deployed sql project, or one "
                f"without the secret {SECRET_VARIABLE}",
                tip="deploy .edgelift/build/sql and put the secret: see build/worker/DEPLOY.md",
            ) from error
        if answer.failed:
            raise TargetError(
                f"The database {self.target} could not {_WORDS[verb]}",
                why=answer.failed,
                tip="nothing of this message was kept; mend the cause and run the same command "
                "again",
            )
        if answer.refused:
            raise TargetError(
                f"The database {self.target} refuses to {_WORDS[verb]}",
                why=answer.refused,
                tip=_advise(reply.status_code, answer.refused),
            )
        return answer


def _advise(status: int, refused: str) -> str:
    if status == httpx.codes.FORBIDDEN:
        return f"export {SECRET_VARIABLE} as it was given to wrangler secret put"
    if "another run" in refused:
        return "let one run at a time work on it; the same command goes on from what was applied"
    if "schema" in refused:
        return "run edgelift build, deploy .edgelift/build/sql, then run the same command again"
    if status == httpx.codes.CONFLICT:
        return "to delete what is there and load it anew, run it with --replace"
    return "give the address of the sql project that edgelift build wrote for this app"
