"""Runs recorded lines through a database driver and compares what each gives.

A case file has lines `> expression or statement`, each followed by what the real driver gave:
`= repr` or `! error`. The lines of a file share one connection and one namespace.

  python replay.py DRIVER URL FILE             compare, with edgelift's modules
  python replay.py DRIVER URL FILE --record    write what the installed driver gives
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

_SOURCE = Path(__file__).resolve().parents[2] / "src"
# What differs from run to run: addresses in memory, the server's port.
_VOLATILE = ((re.compile(r"( at)? 0x[0-9a-f]{6,}"), ""), (re.compile(r"port \d+|port=\d+"), "port N"))


def read_lines(file: Path) -> list[tuple[str, str]]:
    """Return (line, expected) of a case file; comments have no expected line."""
    found: list[tuple[str, str]] = []
    for line in file.read_text().splitlines():
        if line.startswith(("= ", "! ")) and found:
            found[-1] = (found[-1][0], line)
        else:
            found.append((line, ""))
    return found


def describe_error(error: BaseException) -> str:
    """Return an error's classes, code and text."""
    names = [f"{k.__module__}.{k.__qualname__}" for k in type(error).__mro__[:3]]
    code = getattr(error, "pgcode", None) or getattr(error, "sqlstate", None) or "-"
    code = "-" if names[0].startswith("MySQLdb.") else code  # PyMySQL has it besides
    return steady(f"! {' < '.join(names)} {code} {str(error)!r}")


def steady(text: str) -> str:
    """Return an outcome without what differs from run to run."""
    for pattern, instead in _VOLATILE:
        text = pattern.sub(instead, text)
    return text


async def run_line(line: str, names: dict[str, Any]) -> str:
    """Run a line and return its outcome; None is no outcome."""
    tree = ast.parse(line)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    is_expression = isinstance(tree.body[-1], ast.Expr) and len(tree.body) == 1
    code = compile(line, "<case>", "eval" if is_expression else "exec", flags)
    try:
        value = eval(code, names)
        if inspect.iscoroutine(value) and code.co_flags & inspect.CO_COROUTINE:
            value = await value
    except BaseException as error:
        return describe_error(error)
    return steady(f"= {value!r}")


async def replay(driver: str, url: str, file: Path, *, record: bool) -> list[dict[str, str]]:
    """Return the lines whose outcome is not the expected one; `record` makes it the expected."""
    sys.path.insert(0, str(file.parent))
    names: dict[str, Any] = {"URL": url}
    exec((file.parent / f"{driver}_names.py").read_text(), names)
    differences = []
    written = []
    for line, expected in read_lines(file):
        written.append(line)
        if not line.startswith("> "):
            continue
        outcome = await run_line(line[2:], names)
        written.append(outcome)
        if outcome != expected:
            differences.append({"line": line, "expected": expected, "found": outcome})
    if record:
        file.write_text("\n".join(written) + "\n")
    return differences


def install_modules(driver: str) -> None:
    """Put edgelift's modules where the driver would be imported from."""
    if driver == "mysqldb":
        from edgelift.worker import mysqldb

        mysqldb.install()
    else:
        from edgelift.worker import postgres

        postgres.install(blocking="--blocking" in sys.argv)


def main() -> int:
    """Replay a file and print the number of lines and the differences as JSON."""
    driver, url, file = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    record = "--record" in sys.argv
    if not record:
        sys.path.insert(0, str(_SOURCE))
        install_modules(driver)
    differences = asyncio.run(replay(driver, url, file, record=record))
    count = sum(line.startswith("> ") for line, _ in read_lines(file))
    print(json.dumps({"lines": count, "differences": differences}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
