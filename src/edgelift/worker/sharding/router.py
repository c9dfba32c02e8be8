"""Decides on which shards a request or job works, by the route that edgelift.toml declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from edgelift.worker.jobs import ONE_RUN, Run, find_function
from edgelift.worker.shard_map import ShardMap, read_shard_map
from edgelift.worker.sharding.choice import choose
from edgelift.worker.sharding.keys import Asked, Reader, build_reader, read_key

Json = Mapping[str, Any]


class RefusedError(Exception):
    """A request that belongs to no shard: what it is told, under which status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Router:
    """The route of an app: `maps` are those of its sharded databases, by binding."""

    def __init__(self, route: Json, maps: Mapping[str, ShardMap]) -> None:
        self.maps = maps
        self.call: Callable[[Any], Any] | None = None
        self._call_name: str = route.get("call", "")
        self._readers: list[Reader] = [build_reader(source) for source in route.get("from", ())]
        self._missing: str = route.get("missing", "refuse")
        self._default: str = route.get("default", "")
        self._spread: bool = route.get("unknown", "refuse") == "spread"
        self._status: int = route.get("status", 400)
        self._jobs: str = route.get("jobs", "each")
        self._sources = " or ".join(route.get("from", ()))

    def import_call(self) -> None:
        """Find the app's own function; raises JobNotFoundError for a name that leads nowhere."""
        if self._call_name:
            self.call = cast("Callable[[Any], Any]", find_function(self._call_name))

    def read_key(self, asked: Asked) -> str:
        """Return the key that a request holds, "" for none; raises RefusedError for several."""
        try:
            return read_key(self._readers, asked)
        except ValueError as error:
            raise RefusedError(self._status, f"{error}: {self._sources}") from error

    def find_shards(self, key: str) -> tuple[Mapping[str, str], str]:
        """Return the shard of each database, and why there is none where that is allowed.

        Raises RefusedError.
        """
        key = key or (self._default if self._missing == "default" else "")
        if not key:
            place = f"{self._call_name}() returned none" if self.call else f"by {self._sources}"
            reason = f"the request has no key of a shard ({place})"
            if self._missing == "replicated":
                return {}, reason
            raise RefusedError(self._status, reason)
        try:
            found = {
                binding: one.find(key, spread=self._spread) for binding, one in self.maps.items()
            }
        except KeyError as error:
            raise RefusedError(self._status, f"no shard holds {key[:80]!r}") from error
        return found, ""

    def list_job_shards(self) -> list[tuple[str, Mapping[str, str]]]:
        """Return the runs of a job, each with a name and its shards: one, or one for each shard."""
        if self._jobs == "once":
            return [("", {})]
        return [
            (shard, {binding: shard}) for binding, one in self.maps.items() for shard in one.shards
        ]


_JOB_REASON = "this is the run of a job for no shard of it (data.shards.route.jobs)"


def list_runs(router: Router | None) -> Sequence[Run]:
    """Return the runs of each scheduled job: one without shards, else one for each of them."""
    if router is None:
        return ONE_RUN
    return [
        (name, partial(choose, shards, _JOB_REASON)) for name, shards in router.list_job_shards()
    ]


def read_router(settings: Json) -> Router | None:
    """Return the router of a settings document (runtime.py), None for an app without shards."""
    sharded: Iterable[Json] = [d for d in settings.get("databases", ()) if d.get("shards")]
    maps = {d["binding"]: read_shard_map(d["shards"]["map"]) for d in sharded}
    route = settings.get("route")
    return Router(route, maps) if maps and route else None


def to_key(value: object) -> str:
    """Return what the app's own function returned as a key, "" for None; raises TypeError."""
    if value is None:
        return ""
    if isinstance(value, bool | float | bytes):
        raise TypeError(f"the function of the route returned {value!r}, which is no key")
    return str(value)
