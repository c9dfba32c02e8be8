"""Leaves out what the Worker refuses by declaration: requests that belong to no shard.

The origin, which has never been split, answers them and may write; nothing can be compared there.
Which they are follows from the route that edgelift.toml declares and the map of the shards, without
asking the Worker: a request that it refuses for another reason still counts. The key of a route by
a function of the app is not known here, so nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from edgelift.model.flows import Flow, Request
from edgelift.model.mover_settings import DataSection
from edgelift.model.shard_map import ShardMap
from edgelift.stages.verify.client import wire_headers
from edgelift.worker import shard_map as routing
from edgelift.worker.sharding.keys import Asked
from edgelift.worker.sharding.router import RefusedError, Router


@dataclass
class Unrouted:
    """Knows the requests without a shard; `router` is None where every request has one."""

    router: Router | None = None
    left_out: dict[str, int] = field(default_factory=dict)

    def drop(self, flow: Flow) -> Flow:
        """Return a flow without them, and count them under its name."""
        router = self.router
        if router is None:
            return flow
        kept = tuple(request for request in flow.requests if has_shard(router, request))
        self.left_out[flow.name] = len(flow.requests) - len(kept)
        return msgspec.structs.replace(flow, requests=kept)

    def describe(self, flows: Iterable[Flow]) -> str:
        """Return how many requests of flows are left out, "" for none."""
        count = sum(self.left_out.get(flow.name, 0) for flow in flows)
        words = "belong to no shard, which the Worker refuses as declared: not sent"
        return f"; {count} more {words}" if count else ""


def read_unrouted(data: DataSection, shards: Mapping[str, ShardMap]) -> Unrouted:
    """Return what knows the requests without a shard, by the route of a project."""
    route = data.shards.route if data.shards else None
    if route is None or route.call or not shards:
        return Unrouted()
    maps = {name: routing.ShardMap(msgspec.to_builtins(found)) for name, found in shards.items()}
    return Unrouted(Router({**msgspec.to_builtins(route), "from": route.listed}, maps))


def has_shard(router: Router, request: Request) -> bool:
    """Return whether the Worker gives a request to the app."""
    headers = [(name.lower(), value) for name, value in wire_headers(request)]
    try:
        router.find_shards(router.read_key(Asked(request.path, request.query, headers)))
    except RefusedError:
        return False
    return True
