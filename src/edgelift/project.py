"""The project file `edgelift.toml`: what is lifted and how; written by init, read by every stage.

It is looked for at `PATH/edgelift.toml` (yours, to commit) and then at
`PATH/.edgelift/edgelift.toml` (made by init). Secrets never stand in it: a value
`{ secret = true }` names an environment variable to read at run time.
"""

from __future__ import annotations

import hashlib
import math
import os
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from edgelift.errors import UsageError
from edgelift.model.mover_settings import DataSection, SchemaSection
from edgelift.model.server_url import find_engine

STATE_FOLDER = ".edgelift"
FILE_NAME = "edgelift.toml"


class AppSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The origin app: `entry` is `module:object` or `module:factory()`, `root` its import root.

    `root` and `requirements` are relative to the project; `python` is a path or a program's name.
    The framework `none` stands for a project of databases only, which needs no section at all.
    """

    framework: Literal["flask", "fastapi", "django", "wsgi", "asgi", "none"]
    entry: str = ""
    root: str = "."
    python: str | None = None
    requirements: tuple[str, ...] = ()


class DatabaseSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A database of the origin: `url` may hold `${VARIABLE}`; SQLite paths start at the project.

    `env` is the variable through which the app itself learns the URL, used to run the origin on a
    copy.
    `strategy` is `auto` (the plan decides) or one of the SQL strategies.
    For `hyperdrive`: `hyperdrive_id` is the id of its configuration at Cloudflare; `copies` the URL
    of another server on which verify may make its scratch copies; `serve` says what `serve` and
    `dev` open on this machine, a copy or the origin's database itself.
    """

    name: str
    url: str
    binding: str = "DB"
    strategy: Literal["auto", "d1", "object", "hyperdrive"] = "auto"
    env: str | None = None
    hyperdrive_id: str = ""
    copies: str = ""
    serve: Literal["copy", "origin"] = "copy"


class NetworkSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The app's own connections: `trusted_certificates` are PEM files of private authorities."""

    trusted_certificates: tuple[str, ...] = ()


class StaticSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A folder served as static assets under a URL prefix."""

    path: str
    url: str


class JobSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A scheduled job: `schedule` is five cron fields in UTC, `call` is `module:function`.

    `call` is empty for a job of the app's own scheduler, which `name` then finds.
    """

    name: str
    schedule: str
    call: str = ""


class EnvSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A variable for the app: a plain `value`, or `secret = true` for one of the environment."""

    value: str | None = None
    secret: bool = False


class PackagesSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Package overrides: names left out of the Worker, and requirement lines added to it."""

    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


class TestsSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The origin's own HTTP tests: a command, told the server's URL by `base_url_env`."""

    command: tuple[str, ...]
    base_url_env: str


class ParitySection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What parity replays and forgives.

    `headers` are sent with every generated request (values may hold `${VARIABLE}`); `ignore` lists
    `METHOD /rule json.path` patterns declared to differ; `tolerance` is the absolute difference
    allowed between two JSON or database floats; `recordings` are HAR files.
    """

    headers: dict[str, str] = {}
    ignore: tuple[str, ...] = ()
    tolerance: float = 1e-9
    recordings: tuple[str, ...] = ()

    def find_faults(self) -> Iterator[str]:
        """Yield what is wrong with it."""
        if not 0 <= self.tolerance < math.inf:
            yield f"parity.tolerance is {self.tolerance}; it is a difference, such as 1e-9"


class AcceptSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rule ids of blockers that the user has read and accepts."""

    rules: tuple[str, ...] = ()


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of edgelift.toml."""

    name: str
    app: AppSection = AppSection(framework="none")
    databases: tuple[DatabaseSection, ...] = ()
    static: tuple[StaticSection, ...] = ()
    jobs: tuple[JobSection, ...] = ()
    env: dict[str, EnvSection] = {}
    packages: PackagesSection = PackagesSection()
    network: NetworkSection = NetworkSection()
    tests: TestsSection | None = None
    parity: ParitySection = ParitySection()
    accept: AcceptSection = AcceptSection()
    schema: SchemaSection = SchemaSection()
    data: DataSection = DataSection()

    @property
    def has_app(self) -> bool:
        """Return whether there is an app to lift, and not databases alone."""
        return self.app.framework != "none"


class Project(msgspec.Struct, frozen=True):
    """A project: the origin's folder, its settings, and where edgelift keeps what it makes."""

    root: Path
    settings: Settings
    settings_path: Path

    @property
    def state(self) -> Path:
        """Return the folder that holds everything edgelift writes."""
        return self.root / STATE_FOLDER

    def folder(self, *parts: str) -> Path:
        """Return a folder below the state folder, made when missing."""
        path = self.state.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path


def find_settings(root: Path) -> Path | None:
    """Return the project file that counts for a folder, or None before init."""
    for candidate in (root / FILE_NAME, root / STATE_FOLDER / FILE_NAME):
        if candidate.is_file():
            return candidate
    return None


def check_root(path: Path) -> Path:
    """Return the absolute folder of a backend; raises UsageError when it is not a readable one."""
    root = path.absolute()
    try:
        if not root.exists():
            raise UsageError(
                f"There is no folder {path}",
                why="the path does not exist",
                tip="give the folder of the backend, for example: edgelift lift examples/anomaly",
            )
        if not root.is_dir():
            raise UsageError(
                f"{path} is not a folder",
                why="edgelift works on a backend's whole folder",
                tip="give the folder that holds the app",
            )
        next(root.iterdir(), None)
    except OSError as error:
        raise UsageError(
            f"The folder {path} cannot be read",
            why=str(error),
            tip="check its permissions",
        ) from error
    return root


def read_project(path: Path) -> Project:
    """Read and validate the project of a folder.

    Raises UsageError when there is no project file or when it is wrong, naming the key.
    """
    root = check_root(path)
    settings_path = find_settings(root)
    if settings_path is None:
        raise UsageError(
            f"{path} has no edgelift.toml",
            why="the project was not initialised",
            tip=f"run: edgelift init {path}",
        )
    return Project(root, parse_settings(settings_path), settings_path)


def parse_settings(path: Path) -> Settings:
    """Read one project file; raises UsageError naming the line or key that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read",
            why=str(error),
            tip="check its permissions and encoding (UTF-8)",
        ) from error
    try:
        settings = msgspec.convert(tomllib.loads(text), Settings)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{path} has a wrong value",
            why=str(error),
            tip="docs/reference/project-file.md lists every key with its type",
        ) from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, a number of 5,000 digits
        deep = isinstance(error, RecursionError)
        raise UsageError(
            f"{path} is not valid TOML",
            why="a value is nested too deeply" if deep else str(error),
            tip="mend that line, or delete the file and run init",
        ) from error
    _check_settings(settings, path)
    return settings


def _check_settings(settings: Settings, path: Path) -> None:
    def wrong(why: str, tip: str) -> UsageError:
        return UsageError(f"{path} has a wrong value", why=why, tip=tip)

    for field, names in (
        ("databases.name", [d.name for d in settings.databases]),
        ("databases.binding", [d.binding for d in settings.databases]),
        ("jobs.name", [j.name for j in settings.jobs]),
    ):
        if len(set(names)) != len(names):
            raise wrong(f"{field} is used twice: {', '.join(names)}", "give each its own")
    if not settings.has_app and not settings.databases:
        raise wrong(
            "there is neither an [app] nor one of [[databases]]", "say what is to be lifted"
        )
    if settings.has_app and ":" not in settings.app.entry:
        raise wrong(
            f"app.entry is {settings.app.entry!r}", "write module:object or module:factory()"
        )
    for job in settings.jobs:
        if len(job.schedule.split()) != 5:
            raise wrong(
                f"job {job.name!r} has the schedule {job.schedule!r}",
                "write five cron fields, for example: */5 * * * *",
            )
    _check_sections(settings, wrong)
    for name, variable in settings.env.items():
        if variable.secret and variable.value is not None:
            raise wrong(
                f"env.{name} is a secret with a value in the file",
                "remove the value; it is read from the environment at run time",
            )


def _check_sections(settings: Settings, wrong: Callable[[str, str], UsageError]) -> None:
    names = frozenset(database.name for database in settings.databases)
    for fault in (
        *settings.schema.find_faults(names),
        *settings.data.find_faults(),
        *settings.parity.find_faults(),
    ):
        raise wrong(fault, "docs/reference/project-file.md describes every section")


def expand_variables(text: str, environment: dict[str, str] | None = None) -> str:
    """Replace every `${NAME}` by the environment's value; raises UsageError for an unset one."""
    import re

    values = dict(os.environ) if environment is None else environment

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            raise UsageError(
                f"The environment variable {name} is not set",
                why=f"edgelift.toml refers to it in {text!r}",
                tip=f"export {name}=... and run again",
            )
        return values[name]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", replace, text)


def stays_in_place(section: DatabaseSection) -> bool:
    """Return whether a database stays on its server, reached through Hyperdrive."""
    return section.strategy in {"auto", "hyperdrive"} and read_engine(section) is not None


def read_engine(section: DatabaseSection) -> str | None:
    """Return the engine of a server's database, None for others; an unset variable counts as no."""
    try:
        return find_engine(expand_variables(section.url))
    except UsageError:
        return None


class Secret(str):
    """A string that masks itself in repr and str; `reveal` gives the value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def reveal(self) -> str:
        """Return the value itself."""
        return str.__str__(self)


def hash_inputs(*parts: object) -> str:
    """Return a SHA-256 over JSON-able parts and structs: the key for reusing a step's work."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(msgspec.json.encode(part, order="deterministic"))
        digest.update(b"\0")
    return digest.hexdigest()


IGNORED_FOLDERS = frozenset(
    {STATE_FOLDER, ".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox",
     ".mypy_cache", ".pytest_cache", ".ruff_cache", ".idea", ".vscode"}
)  # fmt: skip


def list_files(root: Path) -> list[Path]:
    """Return the project's own files, sorted, without state, caches and virtual environments.

    A folder that holds `pyvenv.cfg` is a virtual environment whatever its name. Links that lead out
    of the project are left out. Raises UsageError for a folder that cannot be read.
    """
    real_root = root.resolve()
    return sorted(
        file
        for folder, names in _walk(root)
        for file in (folder / name for name in names if not name.endswith(".pyc"))
        if file.is_file() and file.resolve().is_relative_to(real_root)
    )


def list_folders(root: Path) -> list[Path]:
    """Return the project's own folders, sorted, the root first; see `list_files`."""
    return sorted(folder for folder, _names in _walk(root))


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    def fail(error: OSError) -> None:
        raise UsageError(
            f"The folder {error.filename} cannot be read",
            why=str(error.strerror),
            tip="check its permissions",
        ) from error

    for folder, names, files in os.walk(root, onerror=fail):
        here = Path(folder)
        names[:] = sorted(
            n
            for n in names
            # os.path.exists is False, and the walk complains, where a folder cannot be entered.
            if n not in IGNORED_FOLDERS and not os.path.exists(here / n / "pyvenv.cfg")  # noqa: PTH110
        )
        yield here, files


def hash_files(root: Path, files: list[Path]) -> str:
    """Return a SHA-256 over names and contents; raises UsageError for an unreadable file."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        try:
            with file.open("rb") as handle:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
        except OSError as error:
            raise UsageError(
                f"The file {file} cannot be read",
                why=str(error.strerror),
                tip="check its permissions",
            ) from error
    return digest.hexdigest()
