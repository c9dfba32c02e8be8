"""All flows of a project: generated, recorded from the origin's own tests, read from HAR files."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgelift.model.flows import Flow
from edgelift.project import expand_variables
from edgelift.sources.own_tests import TestsOutcome
from edgelift.stages.verify.browse import Browser
from edgelift.stages.verify.client import Client
from edgelift.stages.verify.generate import Generator
from edgelift.stages.verify.har import read_har
from edgelift.stages.verify.recording import record
from edgelift.stages.verify.sides import Bench

GENERATED = "generated"


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The flow that the origin's tests left behind, and how they went on the origin."""

    flow: Flow
    tests: TestsOutcome


def build_generated(bench: Bench) -> Flow:
    """Return the flow generated from the inventory; `parity.headers` may hold variables."""
    files = sorted(bench.run.journal.read_document("files", dict[str, str]) or {})
    headers, static = _read_headers(bench), _read_static(bench)
    return Generator(bench.inventory, bench.samples, headers, static, files).build()


def _read_headers(bench: Bench) -> dict[str, str]:
    declared = bench.run.project.settings.parity.headers
    return {name: expand_variables(value) for name, value in declared.items()}


def _read_static(bench: Bench) -> list[str]:
    return [f.url for f in bench.run.project.settings.static if f.url != "/"]


def browse(bench: Bench) -> Flow:
    """Walk through the pages of the origin, and return what was done as a flow."""
    with bench.origin.open("browse") as origin, Client(origin.url) as client:
        return Browser(client, bench.inventory, _read_headers(bench), _read_static(bench)).walk()


def record_tests(bench: Bench) -> Recorded:
    """Run the origin's tests once against the origin, through the recording proxy."""
    with bench.origin.open("tests-origin") as origin, record(origin.url) as (url, recorder):
        tests = bench.run_tests(url, "origin")
        flow = recorder.build_flow("tests", url.removeprefix("http://"), bench.inventory.routes)
    return Recorded(flow=flow, tests=tests)


def read_recordings(bench: Bench) -> list[Flow]:
    """Return the flows of the HAR files named in the project file, relative to the project."""
    project = bench.run.project
    return [
        read_har(project.root / Path(name), bench.inventory.routes)
        for name in project.settings.parity.recordings
    ]


def save_flows(file: Path, flows: list[Flow]) -> None:
    """Write flows to a JSON file in one step."""
    write_json(file, flows)


def write_json(file: Path, body: object) -> None:
    """Write a JSON file so that it is either the old or the new one, never a part."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(body), indent=1))
    part.replace(file)
