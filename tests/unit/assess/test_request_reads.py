"""Query parameters and body fields of handlers, through helpers, loops and aliases."""

from __future__ import annotations

from pathlib import Path

from edgelift.model.inventory import Route
from edgelift.sources.source_code import CodeGraph, read_sources
from edgelift.stages.assess.request_reads import RequestReads

APP = """from flask import Flask, request

app = Flask(__name__)
FIELD = "colour"


def read_int(name, default, *, low=0):
    raw = request.args.get(name)
    return int(raw) if raw else default


def body():
    found = request.get_json(silent=True)
    if not isinstance(found, dict):
        raise ValueError
    return found


@app.get("/list")
def listing():
    page = read_int("page", 1)
    size = read_int(name="size", default=20)
    filters = {n: request.args[n] for n in ("q", "kind") if n in request.args}
    return str([page, size, filters, request.args.get(FIELD), request.headers.get("X-Other")])


@app.post("/create")
def create():
    data = body()
    other = request.form.get("token")
    return str([data["name"], data.get("tags", []), "draft" in data, other])


@app.post("/inline")
def inline():
    data = request.json or {}
    return str(data.get("id")) + str((request.get_json() or {}).get("extra"))


@app.get("/quiet")
def quiet():
    names = {"a": 1}
    return str(names["a"])
"""


def read(tmp_path: Path, rule: str, method: str, line: int) -> tuple[list[str], list[str]]:
    (tmp_path / "app.py").write_text(APP)
    reads = RequestReads(CodeGraph(read_sources(tmp_path)))
    route = Route(rule=rule, methods=(method,), endpoint="e", path="app.py", line=line)
    found = reads.add_to(route)
    return list(found.query), list(found.json_fields)


def line_of(text: str) -> int:
    return APP.splitlines().index(text) + 1


def test_query_parameters(tmp_path: Path) -> None:
    found = read(tmp_path, "/list", "GET", line_of('@app.get("/list")'))
    assert found == (["colour", "kind", "page", "q", "size"], [])


def test_body_fields(tmp_path: Path) -> None:
    found = read(tmp_path, "/create", "POST", line_of('@app.post("/create")'))
    assert found == ([], ["draft", "name", "tags", "token"])


def test_body_without_a_helper(tmp_path: Path) -> None:
    assert read(tmp_path, "/inline", "POST", line_of('@app.post("/inline")'))[1] == ["extra", "id"]


def test_other_mappings_are_not_taken_for_the_request(tmp_path: Path) -> None:
    assert read(tmp_path, "/quiet", "GET", line_of('@app.get("/quiet")')) == ([], [])
