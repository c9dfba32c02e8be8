"""Requests during which a database fails: after each, both sides must hold the same rows.

A request that fails half-way is where transactions show: what the origin rolls back must not stay
in the Worker. In D1, where a COMMIT is nothing, only statements can fail; a SQL object and the
origin can fail at the COMMIT too, and after a write.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edgelift.model.flows import Flow, Request
from edgelift.model.inventory import Route
from edgelift.sources.estimators import hooked_path

FAULTS = "faults"
WRITE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
IN_STATEMENTS = ("write 1", "write 2", "write 3")
IN_TRANSACTIONS = ("written 1", "written 2", "commit 1")
_PER_ROUTE = 2  # requests of each route: the first ones, which are the most ordinary
_BAD_REQUEST = 400


def build_faults(flows: Sequence[Flow], routes: Sequence[Route], strategies: Sequence[str]) -> Flow:
    """Return the requests of all flows that may write, a few of each route, with every fault.

    `routes` are the app's, `strategies` those of its databases. Requests that need values of an
    earlier reply are left out, for the state they need is not there.
    """
    faults = IN_STATEMENTS if "d1" in strategies else (*IN_STATEMENTS, *IN_TRANSACTIONS)
    requests = [
        msgspec.structs.replace(request, fault=fault, purpose=f"{fault} fails")
        for request in _choose(flows, routes)
        for fault in faults
    ]
    return Flow(name=FAULTS, source=FAULTS, requests=tuple(requests))


def _choose(flows: Sequence[Flow], routes: Sequence[Route]) -> Iterator[Request]:
    taken: dict[str, int] = {}
    writing = {f"{m} {route.rule}" for route in routes for m in route.methods}
    for request in itertools.chain.from_iterable(flow.requests for flow in flows):
        if request.method not in WRITE_METHODS or request.route not in writing or request.bindings:
            continue
        if request.reply is not None and request.reply.status >= _BAD_REQUEST:
            continue
        taken[request.route] = taken.get(request.route, 0) + 1
        if taken[request.route] <= _PER_ROUTE:
            yield request


@dataclass
class OriginFaults:
    """Makes an origin's databases fail, through a folder its drivers look into.

    The other side is sources/origin_scripts/inject_faults.py for SQLite, capture/edgelift_drivers
    for servers.
    """

    folder: Path
    servers: Sequence[str] = ()  # names of the databases on servers that are to fail
    _serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def prepare(self) -> dict[str, str]:
        """Make the folder and return the variables that an origin process needs."""
        self.folder.mkdir()
        self.name_databases({})
        (self.folder / "servers").write_text("\n".join(self.servers), "utf-8")
        return {"EDGELIFT_FAULTS": str(self.folder.absolute()), "PYTHONPATH": hooked_path()}

    def name_databases(self, databases: Mapping[str, Path]) -> None:
        """Tell which files are to fail, before the process starts."""
        text = "\n".join(str(file.resolve()) for file in databases.values())
        (self.folder / "databases").write_text(text, "utf-8")

    def arm(self, fault: str) -> int:
        """Let a write or commit fail, "" for none; return how many have failed so far."""
        part = self.folder / "armed.part"
        part.write_text(f"{next(self._serial)} {fault}" if fault else "", "utf-8")
        part.replace(self.folder / "armed")
        fired = self.folder / "fired"
        return len(fired.read_text("utf-8").splitlines()) if fired.exists() else 0
