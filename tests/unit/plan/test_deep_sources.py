"""Sources that nest deeply, call each other in circles or branch without end are judged all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.stages.plan.shards import has_function
from edgelift.stages.plan.transactions import audit
from tests.cases.marked import make_project, view_of

HEAD = "from flask import Flask\napp = Flask(__name__)\n@app.post('/')\ndef page(db, x):\n"
INSERT = "db.execute('INSERT INTO t VALUES (1)')\n"
SOURCES = {
    "elif": HEAD
    + f"    if x == 0:\n        {INSERT}"
    + "".join(f"    elif x == {n}:\n        {INSERT}" for n in range(400))
    + "    db.commit()\n",
    "sum": HEAD + "    return " + "+".join(["x"] * 1000) + "\n",
    "chain": HEAD + "    return x" + ".filter(1)" * 150 + "\n",
    "blocks": HEAD
    + "".join("    " * n + "if x:\n" for n in range(1, 19))
    + "    " * 19
    + INSERT
    + "    raise ValueError\n",
    "calls": "".join(
        f"def step{n}(db):\n    {INSERT}    step{n + 1}(db)\n    step{n + 1}(db)\n"
        for n in range(40)
    )
    + f"def step40(db):\n    pass\n{HEAD}    step0(db)\n    db.commit()\n",
    "circle": f"def a(db):\n    {INSERT}    b(db)\ndef b(db):\n    a(db)\n{HEAD}    a(db)\n    db.commit()\n",
    "branches": HEAD
    + "".join(f"    if x == {n}:\n        {INSERT}    else:\n        {INSERT}" for n in range(40))
    + "    db.commit()\n",
    "tries": HEAD
    + "".join("    " * n + "try:\n" for n in range(1, 19))
    + "    " * 19
    + INSERT
    + "".join("    " * n + "finally:\n" + "    " * (n + 1) + "x()\n" for n in range(18, 0, -1)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_is_audited_however_it_is_built(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "case_file.py"
    file.write_text(SOURCES[kind])
    folder = tmp_path / "project"
    folder.mkdir()
    rules = {finding.rule for finding in audit(view_of(file, folder))}
    several = {"calls", "branches"}  # more than one write before the commit
    assert ("TXN-MULTI-WRITE" in rules) == (kind in several)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def read(environ): pass\n", True),
        ("async def read(environ): pass\n", True),
        ("class read: pass\n", True),
        ("from other import read\n", True),
        ("import read\n", True),
        ("def other(): pass\n", False),
        ("if True:\n    def inner(): pass\n", False),
        ("def read(:\n", False),
        ("\0", False),
        ("", False),
        ("(" * 5000, False),
        ("-" * 20_000 + "1", False),
    ],
)
def test_a_function_of_the_app_is_looked_for(tmp_path: Path, source: str, found: bool) -> None:
    (tmp_path / "routes.py").write_text(source)
    assert has_function(make_project(tmp_path), "routes:read") is found
    (tmp_path / "routes.py").unlink()
    assert not has_function(make_project(tmp_path), "routes:read")


@pytest.mark.parametrize("source", ["-" * 20_000 + "1", "(" * 5000, "\0", "x = ("])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, source: str) -> None:
    file = tmp_path / "case_file.py"
    file.write_text(source)
    folder = tmp_path / "project"
    folder.mkdir()
    view = view_of(file, folder)
    assert [broken.path for broken in view.tree.broken] == ["app.py"]
    assert view.tree.broken[0].why
    assert audit(view) == []
