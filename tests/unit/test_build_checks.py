"""When an app that was not imported in the build can never be, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.model.findings import Status
from edgelift.stages.build.checks import check_snapshot, find_misfit
from edgelift.targets.workerd import Bundle


class Command:
    """Stands where a check asks the run for the command that repeats it."""

    def command(self, *parts: str) -> str:
        return " ".join(parts)


def bundle(error: str, traceback: str = "", *, snapshot: bool = False) -> Bundle:
    return Bundle(
        out=Path("/b"),
        snapshot=snapshot,
        snapshot_error=error,
        inputs="",
        databases=(),
        traceback=traceback,
    )


TRACEBACK = """Traceback (most recent call last):
  File "/lib/python3.14/site-packages/edgelift/worker/runtime.py", line 96, in configure
  File "/app/shop/models.py", line 4, in <module>
  File "/lib/python3.14/importlib/__init__.py", line 88, in import_module
AssertionError: too old
and more
"""


@pytest.mark.parametrize(
    ("error", "traceback", "told"),
    [
        (
            "AssertionError: too old\nand more",
            TRACEBACK,
            "AssertionError: too old at shop/models.py:4",
        ),
        ("ImportError: x", "no place", "ImportError: x"),
        ("OSError: no network", TRACEBACK, ""),
        ("TypeError: x", f"{TRACEBACK}D1 binding DB: the database is not reachable while", ""),
        ("AttributeError: not from the import", "", ""),
    ],
)
def test_only_an_import_that_cannot_succeed_is_a_failure(
    error: str, traceback: str, told: str
) -> None:
    made = bundle(error, traceback)
    assert find_misfit(made) == told
    check = check_snapshot(Command(), made)  # type: ignore[arg-type]
    assert check.status is (Status.FAIL if told else Status.NOT_RUN)
    assert "\n" not in check.evidence
    assert check.detail == tuple(traceback.splitlines()[-12:])


def test_a_snapshot_is_a_pass() -> None:
    made = bundle("", snapshot=True)
    assert find_misfit(made) == ""
    assert check_snapshot(Command(), made).status is Status.PASS  # type: ignore[arg-type]
