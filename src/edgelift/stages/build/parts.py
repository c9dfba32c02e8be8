"""Gathers what a build is made of: settings, plan, databases, environment, schema files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edgelift.errors import UsageError
from edgelift.journal import Journal
from edgelift.model.inventory import Inventory
from edgelift.model.move_plan import MovePlan
from edgelift.model.plan import DatabasePlan, Plan
from edgelift.model.server_url import DEFAULT_PORTS, ServerUrl, find_engine, parse_server_url
from edgelift.model.shard_map import Member, ShardMap, list_members
from edgelift.model.vocabulary import Vocabulary
from edgelift.project import Project, expand_variables
from edgelift.sources.django_sql import Kept, translate_part, translate_statement
from edgelift.sources.recorded_sql import DOCUMENT, RecordedStatement, select_own
from edgelift.sources.server_sql import build_translations
from edgelift.sources.shard_files import read_map
from edgelift.sources.source_code.own_drivers import speaks_to_driver
from edgelift.sources.source_code.server_texts import read_fragments, read_texts
from edgelift.sources.source_code.view import CodeView, build_view
from edgelift.sources.sqlite_url import find_sqlite_file
from edgelift.sources.uuid_style import read_uuid_style
from edgelift.targets.migrations import SCHEMA_PARTS
from edgelift.targets.workerd.d1_storage import DatabaseSchema

LOCAL_ROOT = "/app"
MOVED = "edgelift-data"  # the folder, in the Worker only, in which moved databases seem to lie
MAPS = "edgelift-shards"  # the folder of routing maps, beside the app's source
DRIVERS = frozenset({"psycopg2", "psycopg", "asyncpg", "mysqldb"})


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """A database of the Worker: `path` is what the app opens, relative if inside the project.

    `origin` is the engine of the server that it was moved from, `texts` are SQL texts of the app in
    that engine's dialect with their translations, `kinds` those of their result columns, `problems`
    what keeps others from a translation. `shards` is the map of one that is split.
    """

    name: str
    binding: str
    path: str
    strategy: str
    env: str | None = None
    scheme: str = ""
    origin: str = ""
    texts: dict[str, str] = {}
    kinds: dict[str, list[str]] = {}
    problems: dict[str, str] = {}
    server_name: str = ""
    uuid: str = ""
    vocabulary: Vocabulary | None = None
    shards: ShardMap | None = None

    @property
    def members(self) -> list[Member]:
        """Return the files that it is made of, and how the Worker reaches each."""
        return list_members(self.name, self.binding, self.strategy, self.shards)

    @property
    def map_file(self) -> str:
        """Return where its map lies below the project's source."""
        return f"{MAPS}/{self.name}.json"

    def place(self, root: str) -> str:
        """Return the path that the app opens when the project lies at `root`."""
        return self.path if self.path.startswith("/") else f"{root}/{self.path}"

    def url(self, root: str) -> str:
        """Return what `env` holds when the project lies at `root`: a URL, or the plain path."""
        if self.scheme == "file":
            return f"file:{self.place(root)}"
        return f"{self.scheme}:///{self.place(root)}" if self.scheme else self.place(root)

    def build_settings(self, root: str) -> dict[str, object]:
        """Return the database's part of the settings document of worker/runtime.py.

        The adapter itself sets `env` to a sqlite:/// URL, so it is told only where that is right.
        """
        settings: dict[str, object] = {
            "name": self.name, "binding": self.binding, "path": self.place(root)
        }  # fmt: skip
        settings["strategy"] = self.strategy
        if self.env and self.scheme == "sqlite":
            settings["env"] = self.env
        if self.origin:
            settings |= {"origin": self.origin, "scheme": self.scheme, "texts": self.texts}
            settings["kinds"] = self.kinds
            settings |= {"server_name": self.server_name, "uuid": self.uuid}
            settings |= {"env": self.env} if self.env else {}
        if self.vocabulary is not None:
            settings["catalogue"] = msgspec.to_builtins(self.vocabulary)
        if self.shards is not None:
            shards: dict[str, object] = {"map": f"{root}/{self.map_file}"}
            if self.strategy == "d1":
                shards["bindings"] = {m.name: m.binding for m in self.members}
            settings["shards"] = shards
        return settings


class ServerDatabase(msgspec.Struct, frozen=True, kw_only=True):
    """A database that stays on its server; `url` is what `env` holds, without any secret."""

    name: str
    binding: str
    id: str
    server: ServerUrl
    env: str | None = None

    @property
    def host(self) -> str:
        """Return the host that stands for the binding in the app's URL."""
        return f"{self.binding.lower().replace('_', '-')}.hyperdrive.local"

    @property
    def url(self) -> str:
        """Return the app's URL: its own but for the host, and no credentials of the server."""
        return self.server.without_transport().with_parts(
            host=self.host,
            port=DEFAULT_PORTS[self.server.engine],
            user="hyperdrive",
            password="hyperdrive",  # noqa: S106 - the binding tells the real one at each connect
        )

    def build_settings(self) -> dict[str, object]:
        """Return its part of the settings document of worker/runtime.py."""
        settings: dict[str, object] = {
            "name": self.name,
            "binding": self.binding,
            "strategy": "hyperdrive",
            "engine": self.server.engine,
            "url": self.url,
            "database": self.server.database,
            "servers": [
                [self.host, DEFAULT_PORTS[self.server.engine]],
                [self.server.host, self.server.port],
            ],
        }
        return {**settings, "env": self.env} if self.env else settings


@dataclass(frozen=True)
class Parts:
    """Everything that the generated files are made from."""

    project: Project
    plan: Plan
    inventory: Inventory
    databases: tuple[Database, ...]
    schema: dict[str, dict[str, bytes]] = field(default_factory=dict)
    servers: tuple[ServerDatabase, ...] = ()

    def select(self, strategy: str) -> tuple[Database, ...]:
        """Return the databases with a strategy."""
        return tuple(database for database in self.databases if database.strategy == strategy)

    def read_schemas(self) -> tuple[DatabaseSchema, ...]:
        """Return what the databases of the local runtime hold while the snapshot is made."""
        return tuple(
            DatabaseSchema(
                member.binding,
                database.strategy,
                b"\n".join(self.schema[database.name].values()).decode(),
                member.shard,
            )
            for database in self.databases
            if database.name in self.schema
            for member in database.members
        )

    def read_maps(self) -> dict[str, bytes]:
        """Return the files of the routing maps, by their places below the project's source."""
        return {
            database.map_file: msgspec.json.format(msgspec.json.encode(database.shards), indent=1)
            for database in self.databases
            if database.shards is not None
        }

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
        urls |= {server.env: server.url for server in self.servers if server.env}
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
                *(database.build_settings(root) for database in self.databases),
                *(server.build_settings() for server in self.servers),
            ],
            **self._build_route(),
            "jobs": [msgspec.to_builtins(job) for job in self.project.settings.jobs],
            "env_names": sorted({*self.variables, *self.secrets, *self._database_names()}),
            "models": list(self.plan.models),
            "drivers": self.find_drivers(),
        }

    def _build_route(self) -> dict[str, object]:
        """Return how requests find their shards, nothing where no database is split."""
        shards = self.project.settings.data.shards
        if shards is None or shards.route is None or not any(d.shards for d in self.databases):
            return {}
        return {"route": {**msgspec.to_builtins(shards.route), "from": list(shards.route.listed)}}

    @property
    def translates(self) -> bool:
        """Return whether the Worker translates SQL of the app's drivers."""
        return any(database.vocabulary is not None for database in self.databases)

    def find_drivers(self) -> list[str]:
        """Return the modules of the adapter that take the place of database drivers in C."""
        listed = {package.substitute.rpartition(".")[2] for package in self.plan.packages}
        engines: set[str] = {server.server.engine for server in self.servers}
        engines |= {d.origin for d in self.databases if d.vocabulary is not None}
        if "postgresql" in engines:
            # psycopg and aiopg are vendored; what they rest on in C comes from the adapter.
            vendored = {package.name for package in self.plan.packages}
            listed |= vendored & {"psycopg"} | ({"psycopg2"} if "aiopg" in vendored else set())
        return sorted(listed & DRIVERS)

    def _database_names(self) -> set[str]:
        listed = [d.env for d in self.databases] + [s.env for s in self.servers]
        return {name for name in listed if name}


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
    moved = [database for database in plan.databases if not database.in_place]
    databases = tuple(_find_database(project, database) for database in moved)
    if any(find_engine(expand_variables(database.url)) for database in moved):
        view = build_view(project, inventory=inventory)
        databases = tuple(_read_texts(journal, plan, view, database) for database in databases)
    databases = tuple(_add_map(project, journal, database) for database in databases)
    schema = _read_schema(project, databases)
    return Parts(project, plan, inventory, databases, schema, tuple(_find_servers(project, plan)))


def _add_map(project: Project, journal: Journal, database: Database) -> Database:
    """Return a database with its map; raises UsageError for one whose shards were not made."""
    shards = project.settings.data.shards
    if shards is None or shards.database not in {"", database.name}:
        return database
    found = read_map(project.settings.data, journal, database.name)
    if found is None and not database.origin:
        return database
    if found is None:
        raise UsageError(
            f"The shards of {database.name} are not known",
            why="the stage data has not split it yet",
            tip="run: edgelift data PATH",
        )
    return msgspec.structs.replace(database, shards=found)


def _find_servers(project: Project, plan: Plan) -> Iterator[ServerDatabase]:
    sections = {section.name: section for section in project.settings.databases}
    for database in plan.databases:
        if not database.in_place:
            continue
        server = parse_server_url(expand_variables(database.url), os.environ)
        if server is None:
            raise UsageError(
                f"The database {database.name} cannot be reached by its URL",
                why="it names no server and database",
                tip="write scheme://user:password@host:port/database, through a variable",
            )
        yield ServerDatabase(
            name=database.name,
            binding=database.binding,
            id=sections[database.name].hyperdrive_id,
            server=server,
            env=database.env,
        )


def _read_texts(journal: Journal, plan: Plan, view: CodeView, database: Database) -> Database:
    """Return a moved database with what the app's own SQL becomes, any other as it is."""
    if not database.origin:
        return database
    move = journal.read_document(f"move:{database.name}", MovePlan)
    # SQLAlchemy, Django and the drivers keep the server's URL, which leads to the adapter; others
    # get SQLite's.
    packages = {package.name for package in plan.packages}
    speaks = "sqlalchemy" in packages or speaks_to_driver(view, packages, database.origin)
    of_django: dict[str, Kept] = {}
    if move is not None and move.vocabulary is not None and "django" in packages:
        of_django = _translate_own(journal, view, move.vocabulary, database.origin)
    return msgspec.structs.replace(
        database,
        scheme=database.scheme if speaks or "django" in packages else "sqlite",
        vocabulary=move.vocabulary if speaks and move is not None else None,
        texts={text: made.text for text, made in of_django.items() if made.text != text},
        kinds={text: list(made.kinds) for text, made in of_django.items() if made.kinds},
        problems={text: made.problem for text, made in of_django.items() if made.problem},
        uuid=read_uuid_style(move) if move else "",
    )


def _translate_own(
    journal: Journal, view: CodeView, vocabulary: Vocabulary, engine: str
) -> dict[str, Kept]:
    """Return what Django runs of the app's own SQL, by its text: also of what it puts together."""
    translations = build_translations(vocabulary, engine)
    seen = journal.read_document(DOCUMENT, list[RecordedStatement]) or []
    texts = {one.sql for one in select_own(seen) if one.engine == engine}
    texts |= {text for _site, text in read_texts(view)}
    made = {text: translate_statement(text, translations) for text in texts}
    for _site, text in read_fragments(view):
        made[text] = translate_part(text, translations)
    return dict(sorted(made.items()))


def _name_of(url: str) -> str:
    server = parse_server_url(url, os.environ)
    return "" if server is None else server.database


def _find_database(project: Project, plan: DatabasePlan) -> Database:
    url = expand_variables(plan.url)
    if (engine := find_engine(url)) is not None:
        return Database(
            name=plan.name,
            binding=plan.binding,
            path=f"{MOVED}/{plan.name}.sqlite",
            strategy=plan.strategy,
            env=plan.env,
            scheme=url.partition("://")[0],
            origin=engine,
            server_name=_name_of(url),
        )
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


def read_certificates(project: Project) -> tuple[str, ...]:
    """Return the PEM texts of the private authorities that edgelift.toml names."""
    found = []
    for name in project.settings.network.trusted_certificates:
        try:
            text = (project.root / name).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"The certificate {name} cannot be read",
                why=str(error),
                tip="correct network.trusted_certificates in edgelift.toml",
            ) from error
        if "-----BEGIN CERTIFICATE-----" not in text:
            raise UsageError(
                f"The file {name} holds no certificate",
                why="it has no line -----BEGIN CERTIFICATE-----",
                tip="name the PEM file of the authority that signed the server's certificate",
            )
        found.append(text)
    return tuple(found)
