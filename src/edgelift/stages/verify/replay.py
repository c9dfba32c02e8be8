"""Replay a flow against one server, in order, carrying over the values it gave out."""

from __future__ import annotations

import time
from collections.abc import Callable

from edgelift.model.flows import Flow, Reply
from edgelift.stages.verify.binding import Bindings
from edgelift.stages.verify.client import Client

DYING_S = 0.5
Step = Callable[[int], None]


def replay_flow(
    flow: Flow,
    url: str,
    check_alive: Callable[[], None],
    step: Step,
    arm: Callable[[str], object] | None = None,
) -> list[Reply]:
    """Return the replies of one server to a flow, in order.

    `arm` makes its databases fail as a request of the flow says.

    `step` is called with the number of requests done. When a request gets no reply, `check_alive`
    decides: it raises when the server is gone.
    """
    bindings = Bindings()
    replies = []
    with Client(url) as client:
        for position, request in enumerate(flow.requests):
            if arm is not None:
                arm(request.fault)
            reply = client.send(bindings.apply(request))
            if reply.error:
                _watch_end(check_alive)
            bindings.learn(request.reply, reply)
            replies.append(reply)
            step(position + 1)
    if arm is not None:
        arm("")
    return replies


def _watch_end(check_alive: Callable[[], None]) -> None:
    """Ask for a while whether a server that dropped a connection has ended."""
    deadline = time.monotonic() + DYING_S
    while time.monotonic() < deadline:
        check_alive()
        time.sleep(0.02)
