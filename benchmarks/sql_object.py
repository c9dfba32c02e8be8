"""The SQL object alone in workerd, written to by callers in JavaScript (apps/sql/writers.mjs)."""

from __future__ import annotations

import contextlib
import itertools
import json
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from edgelift.targets.workerd.boots import JS_FOLDER
from edgelift.targets.workerd.config import COMPATIBILITY_DATE
from edgelift.targets.workerd.process import HOST, Launch, run_workerd
from edgelift.toolchain import ensure_toolchain

WRITERS = Path(__file__).parent / "apps" / "sql" / "writers.mjs"
SQL_MODULES = ("sql_object.mjs", "sql_groups.mjs", "sql_values.mjs")
CALLER_MODULES = ("sql_client.mjs", "sql_session.mjs", "sql_values.mjs")
_CONFIG = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main), (name = "sql", worker = .sql),
    (name = "state", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);
const main :Workerd.Worker = (
  compatibilityDate = "{date}",
  modules = [{main_modules}],
  bindings = [
    (name = "SQL", durableObjectNamespace = (className = "SqlObject", serviceName = "sql")),
  ],
);
const sql :Workerd.Worker = (
  compatibilityDate = "{date}",
  modules = [{sql_modules}],
  durableObjectNamespaces = [(className = "SqlObject", uniqueKey = "bench", enableSql = true)],
  durableObjectStorage = (localDisk = "state"),
);
"""


class ObjectBench:
    """A running object; every call of `write` works on a database of its own."""

    def __init__(self, port: int) -> None:
        self._url = f"http://{HOST}:{port}"
        self._numbers = itertools.count(1)

    def write(self, way: str, writers: int, rounds: int) -> dict[str, float]:
        """Let writers make transactions of two statements; return seconds, rows and the counter."""
        query = f"way={way}&writers={writers}&rounds={rounds}&database={next(self._numbers)}"
        with urllib.request.urlopen(f"{self._url}/?{query}", timeout=120) as reply:
            found: dict[str, float] = json.load(reply)
            return found


def _list_modules(names: tuple[str, ...]) -> str:
    return ", ".join(f'(name = "{name}", esModule = embed "{name}")' for name in names)


@contextlib.contextmanager
def serve_object() -> Iterator[ObjectBench]:
    """Run workerd with a SQL object on a disk, and callers beside it."""
    with tempfile.TemporaryDirectory(prefix="edgelift-bench-sql-") as name:
        folder = Path(name)
        (folder / "state").mkdir()
        (folder / "writers.mjs").write_bytes(WRITERS.read_bytes())
        for module in {*CALLER_MODULES, *SQL_MODULES}:
            (folder / module).write_bytes((JS_FOLDER / module).read_bytes())
        config = _CONFIG.format(
            date=COMPATIBILITY_DATE,
            main_modules=_list_modules(("writers.mjs", *CALLER_MODULES)),
            sql_modules=_list_modules(SQL_MODULES),
        )
        (folder / "config.capnp").write_text(config)
        launch = Launch(
            workerd=ensure_toolchain().workerd,
            config=folder / "config.capnp",
            folders={"state": folder / "state"},
            log=folder / "workerd.log",
        )
        with run_workerd(launch) as process:
            yield ObjectBench(process.port)
