"""Databases of servers as data: tests/cases/origins/NAME.SERVER.sql is given, the .json expected.

Each is created on a real server, judged with D1's own engine, and compared statement by statement.
To write the expectations anew after a wanted change, and then read the difference:
EDGELIFT_WRITE_CASES=1 python -m pytest tests/cases/test_origins.py
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec
import pytest

from edgelift.model.mover_settings import SchemaSection
from edgelift.stages.schema.server.judgement import judge_server
from edgelift.targets.workerd.sql_check import check_statements
from edgelift.toolchain import ensure_toolchain

CASES = sorted((Path(__file__).parent / "origins").glob("*.sql"))

pytestmark = pytest.mark.workerd


def start(script: Path, request) -> tuple[str, str]:
    """Create the case's database and return its URL and the name that stands for it."""
    text = script.read_text()
    if script.name.endswith(".postgres.sql"):
        url = request.getfixturevalue("make_database")(text)
        return url, url.rpartition("/")[2]
    server = request.getfixturevalue("mariadb_server")
    name = server.create_database("case")
    server.run_script(text, name)
    return server.make_url(name), name


def read_settings(script: Path) -> tuple[SchemaSection, frozenset[str]]:
    """Return the [schema] section and the accepted rules that lie beside a case."""
    path = script.with_suffix(".toml")
    if not path.exists():
        return SchemaSection(), frozenset()
    found = msgspec.toml.decode(path.read_bytes(), type=dict)
    accepted = frozenset(found.pop("accept", {}).get("rules", ()))
    return msgspec.convert(found.get("schema", {}), SchemaSection), accepted


def judge(script: Path, request):
    url, name = start(script, request)
    toolchain = ensure_toolchain(("runtime",), lambda _text: None)
    settings, accepted = read_settings(script)
    judgement = judge_server(
        "main", url, settings, accepted, lambda sql: check_statements(sql, toolchain)
    )
    return judgement, name


def summarize(judgement, name: str) -> dict:
    def plain(text: str) -> str:
        return re.sub(rf"\b{name}\b", "DATABASE", text)

    statements = (*judgement.schema.tables, *judgement.schema.after)
    objects = {}
    for found in judgement.mapping.objects:
        words = [found.outcome, *found.rules, *filter(None, [found.becomes])]
        objects[plain(f"{found.kind} {found.name} < {found.origin}")] = words
        for column in found.columns:
            key = f"column {found.name}.{column.name} < {column.written}"
            objects[plain(key)] = [
                column.outcome,
                f"{column.op} -> {column.declared}",
                *column.rules,
            ]
    return {
        "statements": [line for s in statements for line in s.sql.splitlines()],
        "objects": objects,
        "issues": [
            plain(f"{i.level.value} {i.rule} | {i.kind} {i.name} | {i.message}")
            for i in judgement.issues
        ],
        "left_out": list(judgement.schema.left_out),
    }


@pytest.mark.parametrize("script", CASES, ids=lambda path: path.name.removesuffix(".sql"))
def test_case(script: Path, request) -> None:
    judgement, name = judge(script, request)
    assert judgement.lost == ()
    found = summarize(judgement, name)
    expected = script.with_suffix(".json")
    if os.environ.get("EDGELIFT_WRITE_CASES"):
        expected.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == json.loads(expected.read_text())
