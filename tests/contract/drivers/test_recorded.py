"""MySQLdb of the Worker gives what mysqlclient gave, line by line.

tests/cases/mysql_drivers holds the lines with what mysqlclient 2.2.7 (libmariadb 3.3) gave against MariaDB 10.11;
`tests/cases/replay.py --record` writes them anew. aiomysql and PyMySQL are the real packages in the Worker.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.servers.mariadb import MariaDb

CASES = Path(__file__).resolve().parents[2] / "cases"
LINES = CASES / "mysql_drivers" / "mysqldb.txt"


def replay(server: MariaDb, file: Path = LINES) -> dict[str, Any]:
    """Return the number of lines and the differences; runs in a process and a database of its own."""
    server.execute("DROP DATABASE IF EXISTS conf")  # whose name is in recorded messages
    server.execute("CREATE DATABASE conf CHARACTER SET utf8mb4")
    url = f"mysql://root@127.0.0.1:{server.port}/conf"
    command = [sys.executable, str(CASES / "replay.py"), "mysqldb", url, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_line_gives_what_mysqlclient_gave(mariadb_server: MariaDb) -> None:
    found = replay(mariadb_server)
    assert found["lines"] > 600
    shown = [f"{d['line']}\n  {d['expected']}\n  {d['found']}" for d in found["differences"]]
    assert not shown, "\n".join(shown[:10])


def test_a_wrong_expectation_is_told(mariadb_server: MariaDb, tmp_path: Path) -> None:
    for path in LINES.parent.glob("*"):
        shutil.copy(path, tmp_path)
    text = LINES.read_text().partition("# What a column is described as.")[0]
    assert "= Decimal('1.50')\n" in text
    file = tmp_path / LINES.name
    file.write_text(text.replace("= Decimal('1.50')\n", "= Decimal('1.5')\n", 1))
    found = replay(mariadb_server, file)
    assert [d["found"] for d in found["differences"]] == ["= Decimal('1.50')"]
