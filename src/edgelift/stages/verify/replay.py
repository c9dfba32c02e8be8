"""Replay a flow against one server, in order, carrying over the values it gave out."""

from __future__ import annotations

from collections.abc import Callable

from edgelift.model.flows import Flow, Reply
from edgelift.stages.verify.binding import Bindings
from edgelift.stages.verify.client import Client

Step = Callable[[int], None]


def replay_flow(flow: Flow, url: str, check_alive: Callable[[], None], step: Step) -> list[Reply]:
    """Return the replies of one server to a flow, in order.

    `step` is called with the number of requests done. When a request gets no reply, `check_alive`
    decides: it raises when the server is gone.
    """
    bindings = Bindings()
    replies = []
    with Client(url) as client:
        for position, request in enumerate(flow.requests):
            reply = client.send(bindings.apply(request))
            if reply.error:
                check_alive()
            bindings.learn(request.reply, reply)
            replies.append(reply)
            step(position + 1)
    return replies
