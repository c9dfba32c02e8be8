"""Runs SQL in the engine that D1 runs on, so that schema knows before anything moves what D1 takes.

A raw workerd executes the statements in a Durable Object's SQLite, where the same authorizer
(names, pragmas, functions) and the same limits (statement size, columns, expression depth) are at
work as in D1. The database is fresh for every call and gone afterwards.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import msgspec

from edgelift.errors import TargetError
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.targets.workerd.config import COMPATIBILITY_DATE
from edgelift.targets.workerd.d1_storage import object_id
from edgelift.targets.workerd.process import Launch, run_workerd
from edgelift.toolchain import Toolchain

_CONFIG = """using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "state", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);

const main :Workerd.Worker = (
  compatibilityDate = "%s",
  modules = [(name = "sql_check.mjs", esModule = embed "sql_check.mjs")],
  durableObjectNamespaces = [(className = "Database", uniqueKey = "%s", enableSql = true)],
  durableObjectStorage = (localDisk = "state"),
  bindings = [(name = "DATABASE", durableObjectNamespace = "Database")],
);
"""
_UNIQUE_KEY = "edgelift-sql-check"
_TIMEOUT_S = 120.0


class StatementError(msgspec.Struct, frozen=True):
    """A statement that the engine refused: its position in the list, and the engine's message."""

    index: int
    message: str


def check_statements(statements: Sequence[str], toolchain: Toolchain) -> list[StatementError]:
    """Execute statements in order in a fresh database and return those that were refused.

    A refused statement does not stop the rest. Raises TargetError when workerd itself fails.
    """
    answer = _ask("/check", list(statements), toolchain)
    return msgspec.json.decode(answer, type=list[StatementError])


def replay_statements(
    statements: Sequence[str], toolchain: Toolchain, keep: Path
) -> list[StatementError]:
    """Execute statements as `check_statements` does, and keep the database the engine made.

    `keep` gets the file, with its log beside it as `-wal`.
    """
    answer = _ask("/check", list(statements), toolchain, keep=keep)
    return msgspec.json.decode(answer, type=list[StatementError])


def count_rows(database: Path, tables: Sequence[str], toolchain: Toolchain) -> dict[str, int]:
    """Let the engine open a copy of a database file and count the rows of its tables.

    Raises TargetError when the engine does not take the file as its own.
    """
    answer = _ask("/count", [quote_identifier(name) for name in tables], toolchain, database)
    return dict(zip(tables, msgspec.json.decode(answer, type=list[int]), strict=True))


def _ask(
    path: str,
    body: list[str],
    toolchain: Toolchain,
    database: Path | None = None,
    keep: Path | None = None,
) -> bytes:
    with tempfile.TemporaryDirectory(prefix="edgelift-sql-") as temporary:
        folder = Path(temporary)
        source = resources.files("edgelift.targets.workerd") / "js" / "sql_check.mjs"
        (folder / "sql_check.mjs").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "config.capnp").write_text(
            _CONFIG % (COMPATIBILITY_DATE, _UNIQUE_KEY), encoding="utf-8"
        )
        storage = folder / "state" / _UNIQUE_KEY
        storage.mkdir(parents=True)
        file = storage / f"{object_id(_UNIQUE_KEY, 'database')}.sqlite"
        if database is not None:
            shutil.copyfile(database, file)
        launch = Launch(
            workerd=toolchain.workerd,
            config=folder / "config.capnp",
            folders={"state": folder / "state"},
            log=folder / "workerd.log",
        )
        with run_workerd(launch) as process:
            status, answer = process.request(
                path, body=msgspec.json.encode(body), headers={}, timeout_s=_TIMEOUT_S
            )
            if status != 200:
                raise TargetError(
                    "workerd's SQLite did not answer",
                    why=f"status {status}: {answer[:300].decode('utf-8', 'replace')}; "
                    f"{process.read_log_tail()}",
                    tip="run again; if it stays, remove the toolchain cache",
                )
        if keep is not None:
            for ending in ("", "-wal"):
                if (written := file.with_name(file.name + ending)).exists():
                    shutil.copyfile(written, keep.with_name(keep.name + ending))
        return answer
