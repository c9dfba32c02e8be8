"""Gathers what a build is made of: settings, plan, databases, environment, schema files."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edgelift.errors import UsageError
from edgelift.journal import Journal
from edgelift.model.inventory import Inventory
from edgelift.model.plan import DatabasePlan, Plan
from edgelift.project import Project
from edgelift.sources.sqlite_url import find_sqlite_file

LOCAL_ROOT = "/app"
# Files of the schema stage and the migrations made of them: rows are loaded between the two.
SCHEMA_PARTS = {"tables": "schema", "after": "after_load"}


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """A database of the Worker: `path` is what the app opens, relative if inside the project."""

    name: str
    binding: str
    path: str
    strategy: str
    env: str | None = None
    scheme: str = ""

    def url(self, root: str) -> str:
        """Return the URL under which the app finds the database when the project lies at `root`."""
        path = self.path if self.path.startswith("/") else f"{root}/{self.path}"
        return f"{self.scheme}:///{path}" if self.scheme else path


@dataclass(frozen=True)
class Parts:
    """Everything that the generated files are made from."""

    project: Project
    plan: Plan
    inventory: Inventory
    databases: tuple[Database, ...]
    schema: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """Return the app's plain variables."""
        listed = self.project.settings.env.items()
        return {name: one.value for name, one in listed if one.value is not None}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the names of the app's secrets, sorted."""
        listed = self.project.settings.env.items()
        return tuple(sorted(name for name, one in listed if one.secret))

    @property
    def entry_file(self) -> str:
        """Return the entry module's file name, one that the origin does not use."""
        name = "entry.py"
        while (self.project.root / name).exists():
            name = f"edgelift_{name}"
        return name

    def read_environment(self) -> dict[str, str]:
        """Return the variables that the app sees on this machine, secrets from the environment.

        A secret that is not set is left out, as on the origin.
        """
        secrets = {name: os.environ[name] for name in self.secrets if name in os.environ}
        urls = {d.env: d.url(LOCAL_ROOT) for d in self.databases if d.env}
        return {**self.variables, **secrets, **urls}

    def build_settings(self, root: str) -> dict[str, object]:
        """Return the settings document of worker/runtime.py for a project that lies at `root`."""
        app = self.project.settings.app
        below = Path(app.root).as_posix()
        return {
            "framework": app.framework,
            "entry": app.entry,
            "root": root if below == "." else f"{root}/{below}",
            "databases": [
                {
                    "name": database.name,
                    "binding": database.binding,
                    "path": database.path
                    if database.path.startswith("/")
                    else f"{root}/{database.path}",
                    "strategy": database.strategy,
                }
                for database in self.databases
            ],
            "jobs": [msgspec.to_builtins(job) for job in self.project.settings.jobs],
            "env_names": sorted({*self.variables, *self.secrets, *self._database_names()}),
            "models": list(self.plan.models),
        }

    def _database_names(self) -> set[str]:
        return {database.env for database in self.databases if database.env}


def read_parts(project: Project, journal: Journal) -> Parts:
    """Return the parts of a build; raises UsageError when an earlier stage has not run."""
    plan = journal.read_document("plan", Plan)
    inventory = journal.read_document("inventory", Inventory)
    if plan is None or inventory is None:
        raise UsageError(
            "There is no plan to build from",
            why="the stages assess and plan have not ended well yet",
            tip="run: edgelift plan PATH",
        )
    databases = tuple(_find_database(project, database) for database in plan.databases)
    return Parts(project, plan, inventory, databases, _read_schema(project, databases))


def _find_database(project: Project, plan: DatabasePlan) -> Database:
    file = find_sqlite_file(plan.url, project.root)
    inside = file.is_relative_to(project.root)
    scheme, colon, _ = plan.url.partition(":")
    return Database(
        name=plan.name,
        binding=plan.binding,
        path=file.relative_to(project.root).as_posix() if inside else file.as_posix(),
        strategy=plan.strategy,
        env=plan.env,
        scheme=scheme if colon and scheme != "file" else "",
    )


def _read_schema(project: Project, databases: tuple[Database, ...]) -> dict[str, dict[str, bytes]]:
    """Return the migrations by database name, in order, as the schema stage wrote them."""
    folder = project.state / "schema"
    try:
        return {
            database.name: {
                name: (folder / f"{database.name}.{ending}.sql").read_bytes()
                for ending, name in SCHEMA_PARTS.items()
            }
            for database in databases
        }
    except OSError as error:
        raise UsageError(
            "There is no schema to build from",
            why=str(error),
            tip="run: edgelift schema PATH",
        ) from error
