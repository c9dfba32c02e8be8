"""The commands of DEPLOY.md with wrangler itself, on its local simulation: D1's import, the sql project with its door."""

from __future__ import annotations

import json
import os
import re
import selectors
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

import edgelift
from edgelift.targets.migrations import read_migrations
from edgelift.targets.workerd.config import COMPATIBILITY_DATE
from edgelift.toolchain import Toolchain, ensure_toolchain
from tests.workerd.upload.sql_server import SECRET
from tests.workerd.upload.test_upload import Moved

pytestmark = [
    pytest.mark.workerd,
    pytest.mark.skipif(
        not os.environ.get("EDGELIFT_NIGHTLY"), reason="wrangler is slow to start: nightly"
    ),
]
PATIENCE_S = 120


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    return ensure_toolchain(("runtime", "wrangler"))


def environment(toolchain: Toolchain, folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{toolchain.node.parent}{os.pathsep}{os.environ['PATH']}",
        "CI": "1", "NO_COLOR": "1", "WRANGLER_SEND_METRICS": "false", "WRANGLER_HIDE_BANNER": "true",
        "WRANGLER_LOG_PATH": str(folder / "logs"), "XDG_CONFIG_HOME": str(folder / "config"),
    }  # fmt: skip


def wrangler(toolchain: Toolchain, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [toolchain.node, toolchain.wrangler, *arguments], cwd=folder, env=environment(toolchain, folder),
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_import_files_leave_no_migration_to_apply(toolchain: Toolchain, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    moved = Moved(tmp_path / "shop", rows=3000)
    state = moved.folder / ".edgelift"
    worker = tmp_path / "worker"
    (worker / "migrations").mkdir(parents=True)
    for name, sql in read_migrations(state / "schema", "main"):
        (worker / "migrations" / f"{name}.sql").write_text(sql)
    config = {
        "name": "shop", "compatibility_date": COMPATIBILITY_DATE,
        "d1_databases": [{"binding": "MAIN", "database_name": "shop-main", "database_id": "shop-main"}],
    }  # fmt: skip
    (worker / "wrangler.jsonc").write_text(json.dumps(config))
    upload = tmp_path / "upload"
    edgelift.data(moved.folder, import_files=upload)
    for file in sorted((upload / "main").glob("*.sql")):
        wrangler(
            toolchain, worker, "d1", "execute", "shop-main", "--local", "--yes", "--file", str(file)
        )
    assert "No migrations to apply" in wrangler(
        toolchain, worker, "d1", "migrations", "apply", "shop-main", "--local"
    )
    told = wrangler(
        toolchain, worker, "d1", "execute", "shop-main", "--local", "--json", "--command",
        "SELECT (SELECT count(*) FROM loose) AS rows, (SELECT seq FROM sqlite_sequence WHERE name = 'kind') AS last",
    )  # fmt: skip
    assert json.loads(told)[0]["results"] == [{"rows": 3006, "last": 40}]


@contextmanager
def develop(toolchain: Toolchain, folder: Path) -> Iterator[str]:
    """Run `wrangler dev` in a project and yield its address."""
    process = subprocess.Popen(
        [toolchain.node, toolchain.wrangler, "dev", "--config", "wrangler.load.jsonc", "--port", "0", "--ip", "127.0.0.1"],
        cwd=folder, env=environment(toolchain, folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        told, ended = "", time.monotonic() + PATIENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not (found := re.search(r"Ready on (http://\S+)", told)):
                assert time.monotonic() < ended, told
                if selector.select(1):
                    line = process.stdout.readline()
                    assert line or process.poll() is None, told
                    told += line
        yield found[1]
    finally:
        os.killpg(process.pid, 15)
        process.communicate(timeout=30)


def test_wrangler_runs_the_sql_project_and_its_door(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGELIFT_LOAD_SECRET", SECRET)
    (tmp_path / "shop").mkdir()
    moved = Moved(tmp_path / "shop", rows=20_000)
    (moved.sql / ".dev.vars").write_text(f'EDGELIFT_LOAD_SECRET="{SECRET}"\n')
    with develop(toolchain, moved.sql) as url:
        moved.url = url
        state = moved.upload()
        assert (state.state, state.rows) == ("open", 20_032)
        assert moved.upload().requests == 0


def test_wrangler_runs_the_door_of_a_d1(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """miniflare's D1 is that of production's client: its parameters and answers are JSON."""
    monkeypatch.setenv("EDGELIFT_LOAD_SECRET", SECRET)
    (tmp_path / "shop").mkdir()
    moved = Moved(tmp_path / "shop", rows=3_000, strategy="d1")
    (moved.sql / ".dev.vars").write_text(f'EDGELIFT_LOAD_SECRET="{SECRET}"\n')
    with develop(toolchain, moved.sql) as url:
        moved.url = url
        state = moved.upload()
        assert (state.state, state.rows) == ("open", 3_032)
        assert moved.upload().requests == 0
        assert moved.upload(replace=True).rows == 3_032
        options = edgelift.FollowOptions(
            upload=url, until_caught_up=True, verify=True, install_triggers=True, replace=True
        )
        with closing(sqlite3.connect(moved.folder / "shop.db")) as db, db:
            db.execute("DROP TABLE words")  # virtual tables are not followed
        outcome = edgelift.follow(moved.folder, follow_options=options)
        with closing(sqlite3.connect(moved.folder / "shop.db")) as db, db:
            db.execute("UPDATE loose SET y = 'changed' WHERE x < 900")
            db.execute("INSERT INTO item(kind, any, price) VALUES (1, 9007199254740993, 9e999)")
            db.execute("DELETE FROM pair WHERE b = 1")
        outcome = edgelift.follow(
            moved.folder, follow_options=msgspec.structs.replace(options, replace=False)
        )
        found = {c.id: c.status.value for c in outcome.checks if c.stage == "follow"}
        assert found["follow.rows:main"] == "PASS"
