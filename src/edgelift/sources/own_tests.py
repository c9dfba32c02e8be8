"""The origin's own HTTP tests, run unedited against a URL: plan on the origin, verify on both."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec

from edgelift.errors import OriginError
from edgelift.project import Project, TestsSection
from edgelift.sources.origin_copy import copy_origin
from edgelift.sources.origin_server import (
    SupervisedProcess,
    build_origin_env,
    read_last_lines,
)
from edgelift.sources.own_pytest import ensure_pytest

TIMEOUT_S = 900.0
_NOTHING_COLLECTED = 5  # pytest's exit code when it found no test


class TestsOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the test command; counts are 0 when the command is not pytest.

    `failed` names the tests that failed or broke; `log` holds the last lines the command printed.
    """

    __test__ = False  # this is no test class, whatever pytest thinks of its name

    exit_code: int | None
    passed: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()
    duration_s: float = 0.0
    log: tuple[str, ...] = ()

    @property
    def counted(self) -> bool:
        """Return whether single tests were counted."""
        return bool(self.passed or self.skipped or self.failed)

    @property
    def ok(self) -> bool:
        """Return whether all went well, and something was tested."""
        return self.exit_code == 0 and not self.failed


@dataclass(frozen=True)
class Suite:
    """Where a run of the tests finds what it needs: `folder` is scratch, and empty.

    `running` keeps a way to stop what runs while it runs.
    """

    __test__ = False

    project: Project
    python: Path
    folder: Path
    log: Path
    note: Callable[[str], None]
    running: Callable[[Callable[[], None]], AbstractContextManager[None]]

    def run(self, url: str) -> TestsOutcome:
        """Run the project's test command in a copy of the project against a URL.

        Raises OriginError when the command does not exist. A hanging command is ended after
        TIMEOUT_S.
        """
        tests = self.project.settings.tests
        assert tests is not None
        copy = copy_origin(self.project, self.folder / "app").absolute()
        report = self.folder / "junit.xml"
        env = build_origin_env(self.project, copy, self.python, {tests.base_url_env: url})
        command = build_command(tests, self.python, report, env["PATH"])
        if is_pytest(command):
            extra = ensure_pytest(self.project, self.python, self.note)
            if extra is not None:
                env["PYTHONPATH"] += f"{os.pathsep}{extra}"
        started = time.monotonic()
        process = SupervisedProcess(command, cwd=copy, env=env, log=self.log)
        with self.running(process.stop):
            code = process.wait(TIMEOUT_S)
            process.stop()
        return msgspec.structs.replace(
            read_junit(report),
            exit_code=code,
            duration_s=time.monotonic() - started,
            log=tuple(read_last_lines(self.log, 12)),
        )


def build_command(tests: TestsSection, python: Path, report: Path, path: str) -> list[str]:
    """Return the command with the origin's Python for `python`; pytest also writes a JUnit report.

    Raises OriginError when the program does not exist.
    """
    command = list(tests.command)
    if command[0] in {"python", "python3"}:
        command[0] = str(python)
    elif command[0] == "pytest":
        command[:1] = [str(python), "-m", "pytest"]
    if is_pytest(command):
        return [*command, f"--junitxml={report}", "-p", "no:cacheprovider"]
    if shutil.which(command[0], path=path) is None:
        raise OriginError(
            "The origin's tests cannot run",
            why=f"there is no program {command[0]}",
            tip="correct tests.command in edgelift.toml",
        )
    return command


def is_pytest(command: Sequence[str]) -> bool:
    """Return whether a command runs pytest by way of Python."""
    return list(command[1:3]) == ["-m", "pytest"]


def read_junit(report: Path) -> TestsOutcome:
    """Return the counts of a JUnit file, none when it is missing or damaged."""
    passed, skipped, failed = 0, 0, []
    with contextlib.suppress(OSError, ET.ParseError):
        # The file was written a moment ago by the origin's own pytest.
        for case in ET.parse(report).iter("testcase"):  # noqa: S314
            name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
            if case.find("failure") is not None or case.find("error") is not None:
                failed.append(name)
            elif case.find("skipped") is not None:
                skipped += 1
            else:
                passed += 1
    return TestsOutcome(exit_code=None, passed=passed, skipped=skipped, failed=tuple(failed))


def describe(outcome: TestsOutcome) -> str:
    """Return the outcome in a few words."""
    if outcome.exit_code is None:
        return f"no end after {TIMEOUT_S:g} s"
    if not outcome.counted:
        empty = outcome.exit_code == _NOTHING_COLLECTED
        return "no test was found" if empty else f"exit code {outcome.exit_code}"
    total = outcome.passed + len(outcome.failed)
    skipped = f", {outcome.skipped} skipped" if outcome.skipped else ""
    return f"{outcome.passed} of {total} passed{skipped}"
