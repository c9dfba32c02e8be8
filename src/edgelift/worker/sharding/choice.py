"""The shards that the running code works on: set for a request, asked at each statement.

It is kept where context variables are, so that asyncio's tasks have that of their request, and it
is void once that request is over: a task that goes on for other requests must not keep the first
one's shard. What is handed to a pool of threads has the choice of who handed it over. A thread that
the app starts itself has none, as it has no other context variable.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from edgelift.worker import flows

NOWHERE = "no request runs here (an import, a start, or a thread of the app's own)"
OVER = "the request that this task was started for is over"


class Choice(NamedTuple):
    """The shard of each sharded database by its binding; `reason` says why there may be none.

    `request_id` is the request it was made for, 0 for one that does not end with a request.
    """

    shards: Mapping[str, str]
    reason: str = ""
    request_id: int = 0


NONE = Choice({}, NOWHERE)
_chosen: ContextVar[Choice] = ContextVar("edgelift_shards", default=NONE)


def choose(shards: Mapping[str, str], reason: str = "") -> None:
    """Let the code that runs in this context work on these shards until its request ends."""
    _chosen.set(Choice(shards, reason, flows.current.get().request_id))


def read_choice() -> Choice:
    """Return what was chosen here, or why nothing counts."""
    found = _chosen.get()
    if found.request_id and not flows.is_running(found.request_id):
        return Choice({}, OVER)
    return found


def carry(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs on the shards chosen here, wherever and whenever it is called."""
    kept = read_choice()
    if kept is NONE:
        return function

    @functools.wraps(function, updated=())
    def carried(*args: Any, **kwargs: Any) -> Any:
        token = _chosen.set(kept._replace(request_id=0))
        try:
            return function(*args, **kwargs)
        finally:
            _chosen.reset(token)

    return carried
