"""What is told when the app does not start."""

import pytest

from edgelift.targets.workerd.worker import find_error_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "Traceback (most recent call last):\n  File 'app.py', line 1, in <module>\nValueError: a\n",
            "ValueError: a",
        ),
        (
            "sqlalchemy.exc.OperationalError: no such table\n[SQL: SELECT]\n    at js (x.mjs:1)\n",
            "sqlalchemy.exc.OperationalError: no such table",
        ),
        ("KeyError: 'a'\n\nDuring the handling\nRuntimeError: b\n", "RuntimeError: b"),
        ("SystemExit: 2", "SystemExit: 2"),
        ("something else", "something else"),
    ],
)
def test_the_line_that_says_what_was_raised(text: str, line: str) -> None:
    assert find_error_line(text) == line
