"""What init and assess learn about the origin app: routes, databases, jobs, packages, files."""

from __future__ import annotations

import msgspec


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One URL rule of the app, as the framework reports it.

    `rule` is written with `{name}` for parameters; `parameters` maps each to its converter
    (`string`, `int`, `float`, `path`, `uuid`); `query` lists query parameters that the handler
    reads (static analysis); `json_fields` the JSON body keys it reads; `path`/`line` point at the
    handler's source.
    """

    rule: str
    methods: tuple[str, ...]
    endpoint: str
    parameters: dict[str, str] = {}
    query: tuple[str, ...] = ()
    json_fields: tuple[str, ...] = ()
    path: str | None = None
    line: int | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled job: `call` is `module:function`, `schedule` five cron fields in UTC."""

    name: str
    schedule: str
    call: str = ""


class EnvVariable(msgspec.Struct, frozen=True, kw_only=True):
    """An environment variable the app reads; `secret` when it must not be written down."""

    name: str
    default: str | None = None
    secret: bool = False
    path: str | None = None
    line: int | None = None


class StaticFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of static files (`path`, relative) and the URL prefix it is served under."""

    path: str
    url: str


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A serialized estimator in the project: its path and the class it holds."""

    path: str
    kind: str


class DatabaseUse(msgspec.Struct, frozen=True, kw_only=True):
    """A database the app connects to: `url`, the variable `env` that sets it, and where."""

    name: str
    url: str
    env: str | None = None
    path: str | None = None
    line: int | None = None


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """Everything found by static analysis and by importing the app in a subprocess.

    `modules` are the top-level modules that the app's own code imports, its own among them, without
    the standard library; `sources` its own Python files that belong to the app. `idle` are
    installed projects that importing the app did not load and that its own code imports nowhere.
    `import_error` is the last line of the traceback when the app could not be imported, else empty.
    """

    framework: str
    entry: str
    routes: tuple[Route, ...] = ()
    jobs: tuple[Job, ...] = ()
    env: tuple[EnvVariable, ...] = ()
    static: tuple[StaticFolder, ...] = ()
    models: tuple[ModelFile, ...] = ()
    databases: tuple[DatabaseUse, ...] = ()
    requirements: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    import_error: str = ""
