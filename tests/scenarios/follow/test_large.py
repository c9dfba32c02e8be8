"""One transaction of very many rows: memory stays bounded, and every row is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.scenarios.follow.origins import Origin

pytestmark = [pytest.mark.scenario, pytest.mark.workerd]

NIGHTLY = os.environ.get("EDGELIFT_NIGHTLY")
ROWS = 200_000 if NIGHTLY else 25_000  # more than are held at once
MOST_KB = 300_000
NUMBERS = {
    "postgres": f"SELECT n FROM generate_series(100001, {100_000 + ROWS}) AS s(n)",
    "mysql": f"SELECT seq AS n FROM seq_100001_to_{100_000 + ROWS}",
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 100001 UNION ALL SELECT n + 1 FROM s WHERE "
    f"n < {100_000 + ROWS}) SELECT n FROM s",
}


@pytest.mark.parametrize(
    "origin", ["postgres", "mysql", "sqlite"] if NIGHTLY else ["postgres"], indirect=True
)
def test_a_large_transaction_stays_within_memory(origin: Origin) -> None:
    assert origin.follow(first=True).returncode == 0
    last = {"mysql": " ORDER BY `rank` DESC"}.get(origin.kind, "")
    rank = "`rank`" if origin.kind == "mysql" else "rank"
    with origin.connect() as execute:
        execute(
            f"INSERT INTO book (id, author, title, price, {rank}) "
            f"SELECT n, 1, 'a title that is as long as titles are', 1.5, n FROM ({NUMBERS[origin.kind]}) AS s"
        )
        if origin.kind != "sqlite":  # every unique value passes from row to row
            execute(f"UPDATE book SET {rank} = {rank} + 1, price = 2.5 WHERE id > 100000{last}")
        execute("COMMIT")
    if origin.kind == "sqlite":
        origin.run("UPDATE book SET rank = -rank, price = 2.5 WHERE id > 100000")
        assert origin.follow().returncode == 0
        origin.run("UPDATE book SET rank = 400000 + rank WHERE id > 100000")
    done = subprocess.run(
        [sys.executable, "-m", "tests.scenarios.follow.measured", "follow", str(origin.folder),
         "--until-caught-up", "--verify"],
        capture_output=True, text=True, check=False, env={**os.environ, **origin.environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (held,) = re.findall(r"held (\d+) kB", done.stderr)
    print(f"{origin.kind}: {ROWS} rows, {held} kB")
    assert int(held) < MOST_KB
