import sys
from pathlib import Path

import pytest

from edgelift.errors import OriginError
from edgelift.project import TestsSection as Section
from edgelift.sources.own_tests import TestsOutcome as Outcome
from edgelift.sources.own_tests import build_command, describe, read_junit

PYTHON = Path(sys.executable)
REPORT = Path("/tmp/junit.xml")
PYTEST = ["--junitxml=/tmp/junit.xml", "-p", "no:cacheprovider"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["pytest", "tests"], [str(PYTHON), "-m", "pytest", "tests", *PYTEST]),
        (["python", "-m", "pytest", "-x"], [str(PYTHON), "-m", "pytest", "-x", *PYTEST]),
        (["python3", "check.py"], [str(PYTHON), "check.py"]),
        ([sys.executable, "check.py"], [sys.executable, "check.py"]),
    ],
)
def test_the_command_runs_under_the_origins_python(command, expected):
    section = Section(command=tuple(command), base_url_env="URL")
    path = str(Path(sys.executable).parent)
    assert build_command(section, PYTHON, REPORT, path) == expected


def test_a_missing_program_is_named():
    section = Section(command=("nosuchrunner", "x"), base_url_env="URL")
    with pytest.raises(OriginError, match="there is no program nosuchrunner"):
        build_command(section, PYTHON, REPORT, "/nowhere")


def test_junit_counts(tmp_path):
    report = tmp_path / "junit.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="t.A" name="ok"/>'
        '<testcase classname="t.A" name="bad"><failure/></testcase>'
        '<testcase name="broken"><error/></testcase>'
        '<testcase classname="t" name="off"><skipped/></testcase></testsuite></testsuites>'
    )
    outcome = read_junit(report)
    assert (outcome.passed, outcome.skipped, outcome.failed) == (1, 1, ("t.A::bad", "broken"))


@pytest.mark.parametrize("text", [None, "", "<testsuites"])
def test_a_missing_or_damaged_report_counts_nothing(tmp_path, text):
    report = tmp_path / "junit.xml"
    if text is not None:
        report.write_text(text)
    assert not read_junit(report).counted


@pytest.mark.parametrize(
    ("outcome", "words", "ok"),
    [
        (Outcome(exit_code=0, passed=3), "3 of 3 passed", True),
        (
            Outcome(exit_code=1, passed=2, skipped=1, failed=("a",)),
            "2 of 3 passed, 1 skipped",
            False,
        ),
        (Outcome(exit_code=0), "exit code 0", True),
        (Outcome(exit_code=5), "no test was found", False),
        (Outcome(exit_code=None), "no end after 900 s", False),
        (Outcome(exit_code=0, failed=("a",)), "0 of 1 passed", False),
    ],
)
def test_outcomes_in_words(outcome, words, ok):
    assert (describe(outcome), outcome.ok) == (words, ok)
