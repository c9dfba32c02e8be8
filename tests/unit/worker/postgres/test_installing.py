"""The installer puts modules and distributions where applications look for them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[4] / "src"
SCRIPT = """
import json, sys
sys.path.insert(0, {source!r})
from edgelift.worker.postgres import install
install()
install()
import importlib.metadata as metadata
import psycopg2, psycopg2.extras, psycopg2.errors, psycopg2.pool, psycopg2._psycopg, asyncpg
import asyncpg.exceptions, asyncpg.pgproto.pgproto
names = ["psycopg2", "psycopg2-binary", "psycopg2_binary", "asyncpg"]
try:
    import psycopg_binary
except ModuleNotFoundError as error:
    missing = error.name
import pickle
row = pickle.loads(pickle.dumps(psycopg2.extras.NumericRange(1, 2)))
print(json.dumps({{
    "versions": [metadata.version(name) for name in names],
    "names": [psycopg2.extensions.connection.__module__, psycopg2.extras.NumericRange.__module__,
              psycopg2.extras.DictCursor.__module__, psycopg2.errors.UniqueViolation.__module__,
              asyncpg.UniqueViolationError.__module__],
    "finders": sum(type(f).__name__ == "Finder" for f in sys.meta_path),
    "missing": missing,
    "range": repr(row),
    "top": metadata.distribution("psycopg2").read_text("top_level.txt"),
    "none": metadata.distribution("psycopg2").read_text("RECORD"),
}}))
"""


def run(script: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_modules_and_distributions_are_found() -> None:
    found = run(SCRIPT.format(source=str(SOURCE)))
    assert found == {
        "versions": ["2.9.10", "2.9.10", "2.9.10", "0.30.0"],
        "names": [
            "psycopg2.extensions",
            "psycopg2._range",
            "psycopg2.extras",
            "psycopg2.errors",
            "asyncpg.exceptions",
        ],
        "finders": 1,
        "missing": "psycopg_binary",
        "range": "NumericRange(1, 2, '[)')",
        "top": "psycopg2\n",
        "none": None,
    }


def test_psycopg_waits_without_polling_where_that_cannot_suspend() -> None:
    script = f"""
import json, sys
sys.path.insert(0, {str(SOURCE)!r})
from edgelift.worker.postgres import install
install(blocking=True)
import psycopg
print(json.dumps({{"impl": psycopg.pq.__impl__, "wait": psycopg.waiting.wait.__module__,
  "conn": psycopg.pq.PGconn.__module__}}))
"""
    assert run(script) == {
        "impl": "python",
        "wait": "edgelift.worker.psycopg.waiting",
        "conn": "psycopg.pq.pq_ctypes",
    }
