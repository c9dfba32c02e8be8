"""`edgelift move --plan-only`: rates measured on the real data, extended; nothing is moved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edgelift.model.move_estimate import PaperPlan, Rates
from edgelift.stages.data.server.estimate import TEN_TB, _estimate, write_paper

pytestmark = [pytest.mark.scenario, pytest.mark.workerd]

SCRIPT = """
CREATE TABLE tenant (tenant_id text PRIMARY KEY);
INSERT INTO tenant SELECT 'T' || n FROM generate_series(1, 20) n;
CREATE TABLE entry (id bigint PRIMARY KEY, tenant_id text REFERENCES tenant, note text);
INSERT INTO entry SELECT n, 'T' || 1 + n % 20, repeat('note ', n % 20)
  FROM generate_series(1, 30000) n;
"""


def move(url: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgelift", "move", url, "--to", str(folder), *options],
        capture_output=True, text=True, check=False, env=dict(os.environ),
    )  # fmt: skip


def read_paper(text: str) -> PaperPlan:
    return msgspec.convert(json.loads(text)["papers"][0], PaperPlan, strict=False)


def test_a_plan_on_paper_moves_nothing(make_database, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    done = move(make_database(SCRIPT), folder, "--plan-only", "--json")
    assert done.returncode == 0, done.stderr
    paper = read_paper(done.stdout)
    this, ten = paper.estimates
    assert this.rows == 30020
    assert this.databases == 1
    assert ten.file_bytes == pytest.approx(TEN_TB, rel=0.01)
    assert ten.databases == pytest.approx(TEN_TB * 1.3 / 10e9, rel=0.01)
    assert ten.import_files >= 2 * ten.databases
    assert min(paper.rates.load_cpu_s, paper.rates.merge_cpu_s, paper.rates.verify_cpu_s) >= 0
    assert paper.rates.file_bytes > 0
    assert not list((folder / ".edgelift" / "data").rglob("*.sqlite*"))
    assert (folder / ".edgelift" / "data" / "plan-main.json").exists()
    assert "10 TB of such rows" in done.stderr


def test_the_plan_tells_the_shards(make_database, tmp_path: Path) -> None:
    folder, url = tmp_path / "shop", make_database(SCRIPT)
    assert move(url, folder, "--plan-only").returncode == 0
    settings = folder / "edgelift.toml"
    shards = '\n[data.shards]\nby = "tenant"\ncolumn = "tenant_id"\nmax_bytes = 900000\n'
    settings.write_text(settings.read_text() + shards)
    done = move(url, folder, "--plan-only", "--json")
    assert done.returncode == 0, done.stderr
    paper = read_paper(done.stdout)
    assert paper.estimates[0].limit_bytes == 900000
    shards = [line for line in paper.shards if line.startswith("main-")]
    assert len(shards) >= 3
    assert all("rows" in line and "bytes" in line for line in shards)


def test_a_sqlite_file_has_no_plan(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "small.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    db.close()
    done = move(str(path), tmp_path / "shop", "--plan-only")
    assert done.returncode == 2
    assert "nothing to plan" in done.stderr


def test_the_arithmetic() -> None:
    rates = Rates(
        rows=1_000_000, wire_bytes=100_000_000, stream_s=2.0, load_cpu_s=2.0, merge_cpu_s=0.5,
        verify_cpu_s=0.5, again_cpu_s=0.6, again_rows=50_000, file_bytes=200_000_000,
    )  # fmt: skip
    found = _estimate("x", 1_000_000_000, rates, 0)
    assert found.file_bytes == 200_000_000_000
    assert found.databases == 26  # 200 GB with room for indexes, at 10 GB each
    assert found.import_files == 78  # 300 GB of SQL in files of 5 GB, three for each database
    assert found.cpu_h == pytest.approx(1.0)
    assert found.hours_by_cores[2] == pytest.approx(1 / 2)
    assert found.hours_by_cores[8] == pytest.approx(1000 / 3600)  # the one writer's time
    assert found.network_h_by_gbit[1] == pytest.approx(800 / 3600)
    paper = PaperPlan(database="main", measured_at="here", rates=rates, estimates=(found,))
    assert "26 databases of 10 GB" in write_paper(paper)
