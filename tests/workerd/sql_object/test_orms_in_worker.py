"""Alembic's upgrades, Flask-SQLAlchemy, SQLModel and aiosqlite in workerd, on a SQL object, as on CPython."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgelift.targets.packages import install_packages, resolve_packages
from edgelift.targets.workerd import (
    BundleSpec,
    Worker,
    build_bundle,
    database_file,
    start_worker,
)
from edgelift.toolchain import Toolchain
from tests.shared_venv import make_venv

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("orms-in-worker")]

APP = Path(__file__).parents[2] / "apps" / "stockroom"
PACKAGES = ("flask", "asgiref", "flask-sqlalchemy", "sqlmodel", "alembic", "aiosqlite")
FILE = "/app/data/stock.db"
# In this order: each begins with what the ones before have left.
REQUESTS = (
    "/migrate/0001", "/migrate/0002", "/migrate/head", "/migrate/head", "/shelves/attic/7",
    "/shelves/attic/8", "/shelves/loft/0", "/notes/2/found it", "/async/yard", "/migrate/-1",
    "/migrate/head",
)  # fmt: skip
ASKING = """
import json, sys
from app import app
client = app.test_client()
answers = []
for path in json.loads(sys.argv[1]):
    answer = client.post(path)
    answers.append([answer.status_code, answer.get_json(silent=True)])
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain
) -> Iterator[Callable[..., Worker]]:
    folder = tmp_path_factory.mktemp("orms")
    cache = toolchain.root.parent
    resolution = resolve_packages(PACKAGES, exclude=(), include=(), cache=cache, note=print)
    install_packages(resolution, folder / "site", cache=cache)
    settings = {
        "framework": "flask",
        "entry": "app:app",
        "root": "/app",
        "databases": [{"binding": "DB", "path": FILE, "strategy": "object"}],
    }
    started: list[Worker] = []

    def run(name: str, **env: str) -> Worker:
        spec = BundleSpec(app_dir=APP, site_packages=folder / "site", settings=settings, env=env)
        bundle = build_bundle(spec, folder / f"{name}-runtime", toolchain, print)
        assert bundle.snapshot or env, bundle.snapshot_error
        state, log = folder / name, folder / f"{name}.log"
        database_file(state, "DB", "object")
        started.append(start_worker(bundle, state=state, env=env, log=log, toolchain=toolchain))
        return started[-1]

    yield run
    for worker in started:
        worker.stop()


def ask_origin(folder: Path, paths: tuple[str, ...]) -> list[Any]:
    python = make_venv("stockroom-venv", ["-r", APP / "requirements.txt"]) / "bin/python"
    done = subprocess.run(
        [python, "-W", "ignore", "-c", ASKING, json.dumps(paths)],
        cwd=APP,
        env={**os.environ, "STOCK_DB": str(folder / "stock.db"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


def ask_worker(worker: Worker, paths: tuple[str, ...]) -> list[Any]:
    answers = []
    with httpx.Client(base_url=worker.url, timeout=120) as client:
        for path in paths:
            answer = client.post(path)
            is_json = answer.headers["content-type"].startswith("application/json")
            answers.append([answer.status_code, answer.json() if is_json else None])
    return answers


def test_every_answer_is_the_origin_s(start: Callable[..., Worker], tmp_path: Path) -> None:
    worker = start("asked")
    expected = ask_origin(tmp_path, REQUESTS)
    assert [status for status, _ in expected] == [200] * 5 + [409] * 2 + [200] * 4
    for path, lifted, origin in zip(REQUESTS, ask_worker(worker, REQUESTS), expected, strict=True):
        assert lifted == origin, (path, worker.read_log_tail())


@pytest.mark.nightly
@pytest.mark.skipif(
    not os.environ.get("EDGELIFT_NIGHTLY"), reason="long: EDGELIFT_NIGHTLY=1 runs it"
)
def test_tables_are_made_at_the_app_s_start(start: Callable[..., Worker], tmp_path: Path) -> None:
    worker = start("at-start", MIGRATE_AT_START="1")
    (lifted,) = ask_worker(worker, ("/migrate/head",))
    assert lifted == ask_origin(tmp_path, ("/migrate/head",))[0], worker.read_log_tail()
    assert lifted[1]["rows"]["alembic_version"] == [["0003"]]
