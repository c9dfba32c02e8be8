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

    def place(self, root: str) -> str:
        """Return the path that the app opens when the project lies at `root`."""
        return self.path if self.path.startswith("/") else f"{root}/{self.path}"

    def url(self, root: str) -> str:
        """Return what `env` holds when the project lies at `root`: a URL, or the plain path."""
        if self.scheme == "file":
            return f"file:{self.place(root)}"
        return f"{self.scheme}:///{self.place(root)}" if self.scheme else self.place(root)

    def build_settings(self, root: str) -> dict[str, str]:
        """Return the database's part of the settings document of worker/runtime.py.

        The adapter itself sets `env` to a sqlite:/// URL, so it is told only where that is right.
        """
        settings = {"name": self.name, "binding": self.binding, "path": self.place(root)}
        settings["strategy"] = self.strategy
        if self.env and self.scheme == "sqlite":
            settings["env"] = self.env
        return settings


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
            "databases": [database.build_settings(root) for database in self.databases],
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
        scheme=scheme if colon else "",
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
