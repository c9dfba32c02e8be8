"""Runs the origin's own tests on scratch copies while its drivers record the SQL they are given.

Plan does this before anything is decided: SQL that the app puts together at run time stands in no
source file. What records is origin_scripts/capture/edgelift_drivers; see recorded_sql.py.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgelift.model.server_url import find_engine
from edgelift.project import Project, expand_variables
from edgelift.sources.origin_copy import copy_origin
from edgelift.sources.origin_server import database_file, prepare_origin, serve_origin
from edgelift.sources.own_tests import Suite, TestsOutcome
from edgelift.sources.recorded_sql import RecordedStatement, read_recorded, recording_environment
from edgelift.sources.server_copies import name_copies, open_scratch
from edgelift.sources.sqlite import SqliteSource

# A database beyond this is not copied to look at its app: verify copies it once, before the cut.
MOST_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Recording:
    """What was recorded, and how the tests went meanwhile."""

    statements: list[RecordedStatement]
    tests: TestsOutcome


def record_own_tests(
    project: Project, python: Path, scratch: Path, note: Callable[[str], None]
) -> Recording:
    """Run the origin on copies of its databases, its tests against it, and return what it sent.

    `scratch` is a folder of its own, removed in the end. Raises OriginError when a database cannot
    be copied or the origin does not come up; tests that fail are no error.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    servers = {
        section.name: section
        for section in project.settings.databases
        if find_engine(expand_variables(section.url)) is not None
    }
    log = project.folder("logs") / "plan-origin.log"
    log.write_bytes(b"")
    try:
        with open_scratch(project, servers, "plan", MOST_BYTES) as urls:
            copy = copy_origin(project, scratch / "app")
            records = scratch / "sql"
            variables = name_copies(servers, urls) | recording_environment(records, copy)
            place = prepare_origin(
                project,
                copy=copy,
                python=python,
                databases=dict(_take_snapshots(project, scratch)),
                env=variables,
            )
            with serve_origin(project, place, log) as server:
                tests_log = log.with_name("plan-tests.log")
                tests_log.write_bytes(b"")
                folder = scratch / "tests"
                suite = Suite(project, python, folder, tests_log, note, _alone)
                tests = suite.run(server.url)
        return Recording(read_recorded(records), tests)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def _alone(_stop: Callable[[], None]) -> Iterator[None]:
    """Run in this thread, whose end is the program's."""
    yield


def _take_snapshots(project: Project, scratch: Path) -> Iterator[tuple[str, Path]]:
    for section in project.settings.databases:
        file = database_file(project, section)
        if file is not None and file.is_file():
            snapshot = scratch / f"{section.name}.sqlite"
            SqliteSource(file).take_snapshot(snapshot, _ignore)
            yield section.name, snapshot


def _ignore(_done: int, _total: int) -> None:
    """Drop the progress of a snapshot."""
