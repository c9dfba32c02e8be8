"""A backend that relies on its transactions: lifted to a SQL object it passes, forced into D1 it is caught."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

import edgelift
from edgelift.stages.build.parts import Database
from edgelift.targets.workerd import database_file
from edgelift.targets.workerd.process import run_workerd
from tests.scenarios.conftest import ROOT, lift, run_edgelift
from tests.shared_venv import make_venv
from tests.workerd.upload.sql_server import SECRET, ask_app, configure_project

BANK = ROOT / "tests" / "apps" / "bank"


def make_bank(folder: Path) -> Path:
    shutil.copytree(BANK, folder)
    requirements = ["-r", folder / "requirements.txt", "pytest", "gunicorn"]
    (folder / ".venv").symlink_to(make_venv("bank-venv", requirements))
    subprocess.run([sys.executable, folder / "make_db.py", folder / "data" / "bank.db"], check=True)
    return folder


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bank(tmp_path_factory.mktemp("object") / "bank")


@pytest.fixture(scope="module")
def lifted(bank: Path) -> dict:
    result = lift(bank)
    assert result["exit"] == 0, result["stderr"]
    return json.loads((bank / ".edgelift/report/report.json").read_text())


def test_the_plan_chooses_the_object_and_says_why(bank: Path, lifted: dict) -> None:
    page = (bank / ".edgelift/plan/plan.md").read_text()
    assert "| object | DB |" in page
    assert "real transactions, for D1 would lose" in page
    levels = {f["level"] for f in lifted["findings"] if f["rule"].startswith("TXN-")}
    assert levels == {"note"}


def test_the_built_sql_project_takes_the_rows(
    bank: Path, lifted: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As DEPLOY.md says, with the project as build wrote it; an independent look by the app's own way in."""
    steps = (bank / ".edgelift/build/worker/DEPLOY.md").read_text()
    assert "edgelift data . --upload https://bank-sql." in steps
    project = tmp_path / "sql"
    shutil.copytree(bank / ".edgelift/build/sql", project)
    database = Database(name="main", binding="DB", path="", strategy="object")
    monkeypatch.setenv("EDGELIFT_LOAD_SECRET", SECRET)
    with run_workerd(configure_project(project, (database,))) as process:
        url = f"http://127.0.0.1:{process.port}"
        looked = run_edgelift("data", bank, "--upload", url, "--dry-run")
        assert "would be loaded" in looked.stdout, looked.stderr
        done = run_edgelift("data", bank, "--upload", url, "--json")
        assert done.returncode == 0, done.stderr
        [state] = json.loads(done.stdout)["uploads"]
        with closing(sqlite3.connect(bank / ".edgelift/data/target/main.sqlite")) as db:
            expected = db.execute("SELECT * FROM account ORDER BY id").fetchall()
        assert state["state"] == "open"
        answer = ask_app(process.port, "DB", "SELECT * FROM account ORDER BY id")
        assert answer["results"][0]["rows"] == [list(row) for row in expected]


def test_every_check_that_ran_passed(lifted: dict) -> None:
    checks = {check["id"]: check for check in lifted["checks"]}
    assert not [c for c in checks.values() if c["status"] == "FAIL"]
    for name in ("verify.faults", "verify.parity.generated", "verify.state:main", "build.dry-run"):
        assert checks[name]["status"] == "PASS", checks[name]
    counts = checks["verify.faults"]["counts"]
    assert counts["faults_origin"] == counts["faults_target"] >= 20
    assert counts["endpoints"] == 5


def test_the_objects_have_a_project_of_their_own(bank: Path, lifted: dict) -> None:
    build = bank / ".edgelift" / "build"
    assert '"service": "bank-sql"' in (build / "worker" / "wrangler.jsonc").read_text()
    assert "d1_databases" not in (build / "worker" / "wrangler.jsonc").read_text()
    assert '"new_sqlite_classes"' in (build / "sql" / "wrangler.jsonc").read_text()


def test_ghosts_and_transfers_by_plain_http_and_plain_sql(bank: Path, lifted: dict) -> None:
    """An independent look: requests of our own, and the file that the object left."""
    with edgelift.serve(bank) as worker, httpx.Client(base_url=worker.url, timeout=120) as client:
        entries = len(client.get("/api/accounts/1").json()["entries"])
        assert client.post("/api/ghosts").status_code == 500
        assert len(client.get("/api/accounts/1").json()["entries"]) == entries
        assert client.post("/api/overdraft").status_code == 409

        def transfer(number: int) -> int:
            body = {"source": 5 + number % 5, "target": 10 + number % 3, "amount": 3}
            return client.post("/api/transfers", json=body).status_code

        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(transfer, range(80)))
    assert set(statuses) <= {201, 409}
    file = database_file(bank / ".edgelift" / "state", "DB", "object")
    with closing(sqlite3.connect(file)) as db:
        balances = "SELECT sum(balance) FROM account"
        assert db.execute(balances).fetchone() == (sum(100 + i for i in range(1, 31)),)
        wrong = (
            "SELECT count(*) FROM account WHERE balance <> "
            "(SELECT sum(amount) FROM entry WHERE account_id = account.id)"
        )
        assert db.execute(wrong).fetchone() == (0,)
        booked = db.execute("SELECT count(*) FROM entry WHERE note LIKE 'from %'").fetchone()[0]
        assert booked == statuses.count(201)
        assert db.execute("SELECT count(*) FROM entry WHERE note = 'ghost'").fetchone() == (0,)


def test_forced_into_d1_it_is_refused_and_when_accepted_caught(bank: Path, lifted: dict) -> None:
    settings = bank / "edgelift.toml"
    good = settings.read_text()
    settings.write_text(f'{good}strategy = "d1"\n')
    refused = run_edgelift("plan", bank)
    assert refused.returncode == 3
    assert "TXN-ROLLBACK-LOST" in refused.stderr + refused.stdout
    rules = json.dumps(["TXN-ROLLBACK-LOST", "TXN-RAISE-AFTER-WRITE", "TXN-SAVEPOINT", "TXN-BLOCK"])
    settings.write_text(f'{good}strategy = "d1"\n[accept]\nrules = {rules}\n')
    result = lift(bank)
    settings.write_text(good)
    assert result["exit"] == 6, result["stderr"]
    report = json.loads((bank / ".edgelift/report/report.json").read_text())
    checks = {check["id"]: check for check in report["checks"]}
    assert checks["verify.faults"]["status"] == "FAIL"
    assert any("entry" in line for line in checks["verify.faults"]["detail"])
    assert checks["verify.state:main"]["status"] == "FAIL"
