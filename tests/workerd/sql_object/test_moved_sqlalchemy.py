"""SQLAlchemy 1.4 in workerd, over a PostgreSQL that was moved into a SQL object: as on CPython."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from edgelift.targets.packages import install_packages, resolve_packages
from edgelift.targets.workerd import BundleSpec, build_bundle, database_file
from tests.contract.moved_sqlalchemy.test_versions import SCENARIO, run_scenario
from tests.contract.mover.moving import start_moving
from tests.workerd.conftest import Workshop

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("moved-sqlalchemy")]

VERSION = "1.4.54"
APP = """
import json
from flask import Flask, Response
import scenario

app = Flask(__name__)
engine = scenario.sa.create_engine("postgresql+psycopg2://app:secret@db.example.org/shop")

@app.get("/ask/<name>")
def ask(name):
    lines = []
    with scenario.Session(engine, future=True) as session:
        for number, answer in enumerate(getattr(scenario, name)(session)):
            lines.append(json.dumps([name, number, answer], default=scenario.show))
    return Response("[" + ",".join(lines) + "]", mimetype="application/json")
"""
NAMES = ("read_rows", "filter_rows", "filter_orders", "compute", "load", "write", "fail")


@pytest.mark.nightly
@pytest.mark.skipif(
    not os.environ.get("EDGELIFT_NIGHTLY"), reason="long: EDGELIFT_NIGHTLY=1 runs it"
)
def test_sqlalchemy_14_over_a_moved_database(
    make_database: Callable[..., str], new_workshop: Callable[[str], Workshop]
) -> None:
    """CPython's side is compared with the server by tests/contract/moved_sqlalchemy at every run."""
    url = make_database("").replace("postgresql:", "postgresql+psycopg2:")
    run_scenario(VERSION, "make", url)
    shop = new_workshop(APP)
    shop.write(SCENARIO.read_text(), "scenario.py")
    moving = start_moving(url.replace("+psycopg2", ""), shop.folder)
    moving.copy()
    shutil.copyfile(moving.part, database_file(shop.folder / "state", "DB", "object"))
    cache = shop.toolchain.root.parent
    wanted = ("flask", f"sqlalchemy=={VERSION}")
    install_packages(resolve_packages(wanted, cache=cache), shop.folder / "site", cache=cache)
    database = {
        "name": "main", "binding": "DB", "path": "/app/main.db", "strategy": "object",
        "origin": "postgresql",
    }  # fmt: skip
    settings = {"framework": "flask", "entry": "app:app", "root": "/app", "databases": [database]}
    spec = BundleSpec(app_dir=shop.app, site_packages=shop.folder / "site", settings=settings)
    bundle = build_bundle(spec, shop.folder / "runtime", shop.toolchain, shop.notes.append)
    assert bundle.snapshot, bundle.snapshot_error + bundle.traceback
    answers: list[Any] = []
    with shop.start(bundle) as worker, httpx.Client(base_url=worker.url, timeout=120) as client:
        for name in NAMES:
            answer = client.get(f"/ask/{name}")
            assert answer.status_code == 200, (name, worker.read_log_tail())
            answers += answer.json()
    assert answers == run_scenario(VERSION, "ask", url, str(moving.part))
