"""The example backend, lifted by the command a user types, and looked at with other eyes as well."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

import edgelift
from edgelift import events
from edgelift.model.findings import Status
from edgelift.pipeline import NAMES
from edgelift.project import list_files
from tests.scenarios.conftest import copy_example, end_state, hash_file, lift

SUMS = {
    "tokens": "sum(holders), sum(tx_count_24h), sum(volume_24h), total(price_usd), max(total_supply), "
    "min(total_supply), sum(length(logo)), sum(unicode(name)), count(launched_on), sum(volatility)",
    "predictions": "sum(score), sum(label = 'anomalous'), max(computed_at), sum(token_id), max(id)",
    "events": "sum(length(payload)), sum(json_extract(payload, '$.score')), max(id)",
    "api_keys": "group_concat(hex(key_hash)), sum(rate_limit)",
    "score_buckets": "sum(tokens), sum(anomalous), sum(suspicious)",
}


@dataclass(frozen=True)
class Lifted:
    """The example after `edgelift lift` and a second one, and what was seen of both."""

    root: Path
    result: dict
    before: dict[str, str]
    first: dict
    second: dict
    told: list[events.Event]

    @property
    def report(self) -> Path:
        return self.root / ".edgelift" / "report"

    @property
    def checks(self) -> list[dict]:
        return json.loads((self.report / "report.json").read_text())["checks"]


def hash_origin(root: Path) -> dict[str, str]:
    return {str(file.relative_to(root)): hash_file(file) for file in list_files(root)}


def look(root: Path) -> dict:
    """Return the end state of a lift, and when its bundle and golden copy were written."""
    made = ("build/runtime/bundle.json", "data/target/main.sqlite", "report/report.json")
    times = {name: (root / ".edgelift" / name).stat().st_mtime_ns for name in made}
    return {**end_state(root), "times": times}


@pytest.fixture(scope="module")
def lifted(tmp_path_factory: pytest.TempPathFactory) -> Lifted:
    root = copy_example(tmp_path_factory.mktemp("example") / "anomaly")
    before = hash_origin(root)
    result = lift(root)
    assert result["exit"] == 0, result["stderr"]
    first, told = look(root), []
    edgelift.lift(root, emit=told.append)
    return Lifted(root, result, before, first, look(root), told)


@contextlib.contextmanager
def open_database(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        yield db


@pytest.fixture(scope="module")
def origin(lifted: Lifted) -> Iterator[sqlite3.Connection]:
    with open_database(lifted.root / "instance" / "anomaly.db") as db:
        yield db


@pytest.fixture(scope="module")
def client(lifted: Lifted) -> Iterator[httpx.Client]:
    """Return a client of the served lift."""
    with edgelift.serve(lifted.root) as worker:
        # No keep-alive: workerd ends connections that nobody used for some seconds.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=worker.url, timeout=120, limits=limits) as opened:
            yield opened


def test_every_check_passes_or_says_why_it_was_not_made(lifted: Lifted) -> None:
    statuses = {check["id"]: check["status"] for check in lifted.checks}
    assert set(statuses.values()) <= {Status.PASS, Status.SKIPPED}
    assert all(c["evidence"] for c in lifted.checks)
    never_skipped = {
        "schema.complete", "data.rows:main", "data.runtime:main", "build.source", "build.models",
        "build.dry-run", "verify.data", "verify.parity.generated", "verify.parity.recorded",
        "verify.state:main", "verify.jobs:refresh-stale-tokens", "verify.tests", "verify.models",
        "verify.mutants", "verify.static",
    }  # fmt: skip
    assert {name for name in never_skipped if statuses.get(name) != Status.PASS} == set()


def test_every_row_is_there_by_plain_sql(lifted: Lifted, origin: sqlite3.Connection) -> None:
    tables = [
        row["name"]
        for row in origin.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    ]
    assert len(tables) == 8
    questions = [f'SELECT count(*), min(rowid), max(rowid) FROM "{table}"' for table in tables]
    questions += [f'SELECT {sums} FROM "{table}"' for table, sums in SUMS.items()]
    with open_database(lifted.root / ".edgelift/data/target/main.sqlite") as golden:
        for question in questions:
            expected = tuple(origin.execute(question).fetchone())
            assert tuple(golden.execute(question).fetchone()) == expected, question
        triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name"
        assert [tuple(r) for r in golden.execute(triggers)] == [
            tuple(r) for r in origin.execute(triggers)
        ]
    assert origin.execute("SELECT count(*) FROM predictions").fetchone()[0] > 100_000


def test_the_served_lift_tells_what_the_origins_database_holds(
    client: httpx.Client, origin: sqlite3.Connection
) -> None:
    assert client.get("/health").json()["database"] == "ok"
    sql = "SELECT id, symbol, name FROM tokens ORDER BY volume_24h DESC, id LIMIT 7"
    page = client.get("/api/tokens", params={"sort": "-volume", "per_page": 7}).json()
    assert [(t["id"], t["symbol"], t["name"]) for t in page["items"]] == [
        tuple(row) for row in origin.execute(sql)
    ]
    assert page["total"] == origin.execute("SELECT count(*) FROM tokens").fetchone()[0]

    row = origin.execute("SELECT * FROM tokens ORDER BY total_supply DESC LIMIT 1").fetchone()
    token = client.get(f"/api/tokens/{row['id']}").json()
    assert token["total_supply"] == str(row["total_supply"])
    assert token["market"] == json.loads(row["market"] or "null")

    sql = "SELECT score FROM predictions WHERE token_id = 1 ORDER BY id DESC LIMIT 20"
    points = client.get("/api/tokens/1/history", params={"limit": 20}).json()["points"]
    assert [p["score"] for p in points][::-1] == [r["score"] for r in origin.execute(sql)]

    with_logo = origin.execute("SELECT id, logo FROM tokens WHERE logo IS NOT NULL").fetchone()
    logo = client.get(f"/api/tokens/{with_logo['id']}/logo")
    assert (logo.content, logo.headers["content-type"]) == (with_logo["logo"], "image/png")


def test_the_served_lift_refuses_as_the_origin_does(client: httpx.Client) -> None:
    assert client.get("/api/tokens/99999999").json()["error"]["code"] == "not_found"
    assert client.get("/api/tokens", params={"per_page": 101}).status_code == 400
    assert client.post("/predict/batch", json={"token_ids": [1]}).status_code == 401
    assert client.delete("/api/tokens").status_code == 405
    key = {"X-API-Key": "demo-key-5f0c1d9e"}
    batch = client.post("/predict/batch", json={"token_ids": [9, 99999999]}, headers=key)
    assert batch.status_code == 200
    assert [item["ok"] for item in batch.json()["items"]] == [True, False]


def test_the_served_page_and_its_files_are_the_origins(
    client: httpx.Client, lifted: Lifted
) -> None:
    assert "dashboard.js" in client.get("/").text
    static = lifted.root / "anomaly" / "static"
    for file in static.iterdir():
        assert client.get(f"/static/{file.name}").content == file.read_bytes()


def test_serving_writes_neither_to_the_origin_nor_to_the_proven_copy(
    client: httpx.Client, lifted: Lifted
) -> None:
    golden = lifted.root / ".edgelift/data/target/main.sqlite"
    before = hash_file(golden)
    key = {"X-API-Key": "demo-key-5f0c1d9e"}
    changed = client.patch("/api/tokens/2", json={"note": "seen by a test"}, headers=key)
    assert changed.json()["note"] == "seen by a test"
    assert client.get("/api/tokens/2").json()["note"] == "seen by a test"
    assert hash_file(golden) == before
    assert hash_origin(lifted.root) == lifted.before


def test_the_origins_own_files_are_untouched(lifted: Lifted) -> None:
    assert len(lifted.before) > 40
    assert hash_origin(lifted.root) == lifted.before


def test_a_second_lift_skips_everything(lifted: Lifted) -> None:
    kinds = Counter(type(event) for event in lifted.told)
    assert [e.stage for e in lifted.told if isinstance(e, events.StageSkipped)] == list(NAMES)
    assert kinds.keys() <= {events.StageSkipped, events.Note}
    assert lifted.second == lifted.first


def test_the_report_holds_what_the_command_printed(lifted: Lifted) -> None:
    wanted = {"id", "status", "evidence", "reproduce", "title", "stage"}
    assert all(wanted <= check.keys() for check in lifted.checks)
    printed = {check["id"]: check["status"] for check in lifted.result["checks"]}
    assert {c["id"]: c["status"] for c in lifted.checks} == printed
    assert str(lifted.report / "report.html") == lifted.result["report"]

    suites = ET.parse(lifted.report / "junit.xml").getroot().findall("testsuite")
    cases = [case.get("name") for suite in suites for case in suite.findall("testcase")]
    assert cases == [check["id"] for check in lifted.checks]
    assert sum(int(suite.get("tests")) for suite in suites) == len(cases)
    assert {suite.get("failures") for suite in suites} == {"0"}
    assert json.loads((lifted.report / "findings.sarif").read_text())["version"] == "2.1.0"


@pytest.mark.parametrize("check", ["data.rows:main", "verify.data", "verify.static"])
def test_the_command_that_a_check_gives_repeats_it(lifted: Lifted, check: str) -> None:
    found = {c["id"]: c for c in lifted.checks}[check]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        found["reproduce"],
        shell=True,
        env={**os.environ, "PATH": path, "COLUMNS": "1000"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"PASS     {check}  {found['evidence']}" in done.stderr
