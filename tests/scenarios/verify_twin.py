"""A project with its journal as the earlier stages leave it, and an altered twin as the target."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgelift.errors import OriginError, TargetError
from edgelift.events import ignore
from edgelift.journal import Journal
from edgelift.model.findings import Check
from edgelift.model.inventory import Inventory, Route
from edgelift.model.plan import DatabasePlan, Plan
from edgelift.project import read_project
from edgelift.run import Run
from edgelift.sources.origin_server import prepare_origin, serve_origin
from edgelift.sources.sqlite import SqliteSource
from edgelift.stages.verify import inputs, verify_parts
from edgelift.stages.verify.faults import OriginFaults
from edgelift.stages.verify.sides import Bench, Side, run_origin_jobs

LEDGER = Path(__file__).resolve().parents[1] / "apps" / "ledger"
SETTINGS = f"""
name = "ledger"
[app]
framework = "flask"
entry = "app:app"
python = "{sys.executable}"
[[databases]]
name = "main"
url = "data/ledger.db"
env = "LEDGER_DB"
[[static]]
path = "static"
url = "/static"
[[jobs]]
name = "settle"
schedule = "*/5 * * * *"
call = "app:settle"
[tests]
command = ["pytest", "tests"]
base_url_env = "LEDGER_URL"
"""
ROUTES = (
    Route(rule="/", methods=("GET",), endpoint="index"),
    Route(
        rule="/api/items",
        methods=("GET", "POST"),
        endpoint="items",
        query=("page",),
        json_fields=("name",),
    ),
    Route(
        rule="/api/items/{item_id}",
        methods=("GET",),
        endpoint="item",
        parameters={"item_id": "int"},
    ),
    Route(rule="/api/orders", methods=("POST",), endpoint="order"),
    Route(
        rule="/api/orders/{key}",
        methods=("GET",),
        endpoint="read_order",
        parameters={"key": "uuid"},
    ),
    Route(
        rule="/static/{filename}",
        methods=("GET",),
        endpoint="static",
        parameters={"filename": "path"},
    ),
)
INVENTORY = Inventory(framework="flask", entry="app:app", routes=ROUTES)


def make_ledger(folder: Path, strategy: str = "d1") -> Run:
    """Return a run on a fresh ledger whose journal holds what the stages before verify write."""
    from tests.apps.ledger.make_db import make

    shutil.copytree(LEDGER, folder)
    (folder / "edgelift.toml").write_text(SETTINGS)
    make(folder / "data" / "ledger.db")
    project = read_project(folder)
    journal = Journal(project.state / "journal.db")
    for place in ("snapshot", "target"):
        shutil.copyfile(
            folder / "data" / "ledger.db", project.folder("data", place) / "main.sqlite"
        )
    catalogue = SqliteSource(folder / "data" / "ledger.db").read_catalogue()
    journal.write_document("inventory", INVENTORY)
    journal.write_document("catalogue:main", catalogue)
    database = DatabasePlan(
        name="main", url="sqlite:///data/ledger.db", binding="DB", strategy=strategy, reason=""
    )
    journal.write_document(
        "plan", Plan(placement="worker", placement_reason="", databases=(database,))
    )
    import hashlib

    style = (folder / "static" / "style.css").read_bytes()
    journal.write_document("files", {"static/style.css": hashlib.sha256(style).hexdigest()})
    run = Run(project, journal, journal.begin_run("verify", "edgelift verify"), folder, ignore)
    run.current = "verify"
    return run


@dataclass
class Twin:
    """A second origin in the place of the Worker; `alter` changes its source before it starts."""

    bench_folder: Path
    run: Run
    alter: Callable[[Path], None] = lambda _copy: None
    tags: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def open(self, tag: str) -> Iterator[Side]:
        self.tags.append(tag)
        folder = self.bench_folder / f"{len(self.tags)}-{tag}"
        shutil.copytree(self.run.project.root, folder, ignore=shutil.ignore_patterns(".edgelift"))
        self.alter(folder)
        faults = OriginFaults(folder / "faults")
        place = prepare_origin(
            self.run.project,
            copy=folder,
            python=Path(sys.executable),
            databases={"main": self.run.project.state / "data" / "target" / "main.sqlite"},
            env=faults.prepare(),
        )
        faults.name_databases(place.databases)
        log = folder / "twin.log"
        server = serve_origin(self.run.project, place, log)

        def check_alive() -> None:
            try:
                server.check_alive()
            except OriginError as error:
                raise TargetError("The Worker stopped", why=error.why, tip=error.tip) from error

        bench = Bench(self.run, INVENTORY, Plan(placement="", placement_reason=""), {})
        with server:
            yield Side(
                url=server.url,
                databases=server.databases,
                check_alive=check_alive,
                read_log_tail=server.read_log_tail,
                stop=server.stop,
                run_jobs=lambda _schedule, jobs: run_origin_jobs(bench, place, jobs, log),
                arm=faults.arm,
            )


def edit(old: str, new: str) -> Callable[[Path], None]:
    """Return the alteration that replaces a text in the twin's source."""

    def alter(copy: Path) -> None:
        source = copy / "app.py"
        text = source.read_text()
        assert old in text
        source.write_text(text.replace(old, new))

    return alter


def change_target(run: Run, sql: str) -> None:
    """Change the lifted database, as a fault of the data stage would."""
    with contextlib.closing(sqlite3.connect(run.project.state / "data/target/main.sqlite")) as db:
        assert db.execute(sql).rowcount == 1
        db.commit()


def verify(run: Run, twin: Twin, only: str | None = None) -> dict[str, Check]:
    """Run the stage's work as run_stage does; a VerificationMismatch is for the caller to see."""
    run.only = only
    run.inputs = inputs(run)
    run.journal.begin_step(run.run_id, "verify", run.inputs)
    try:
        verify_parts(run, twin)
    finally:
        found = {check.id: check for check in run.journal.read_checks("verify")}
        run.__dict__["found"] = found
    return found


__all__ = ["Bench", "Twin", "change_target", "edit", "make_ledger", "verify"]
