"""What the build puts into the Worker project: source selection, configuration, entry, settings."""

from __future__ import annotations

import ast
import inspect
import json
import tomllib
from pathlib import Path

import pytest

from edgelift.errors import OriginError, TargetError, UsageError
from edgelift.journal import Journal
from edgelift.model.inventory import Inventory
from edgelift.model.plan import DatabasePlan, Plan
from edgelift.project import (
    AppSection,
    DatabaseSection,
    EnvSection,
    JobSection,
    Project,
    Settings,
    StaticSection,
)
from edgelift.stages.build import generated, source
from edgelift.stages.build.modules import fill_modules, hash_folder
from edgelift.stages.build.parts import Parts, read_parts
from edgelift.stages.build.source import select_source
from edgelift.stages.build.wrangler import strip_comments, told_errors
from edgelift.targets.packages import Resolution, Wheel
from edgelift.worker.production import anchor_paths, build_entrypoint

WHEEL = Wheel(
    name="flask", version="3.1.3", filename="flask-3.1.3-py3-none-any.whl", sha256="0", size_bytes=1
)


def make_parts(
    root: Path, *, databases: int = 1, url: str = "sqlite:///instance/x.db", **options
) -> Parts:
    plans = tuple(
        DatabasePlan(
            name=f"db{n}",
            url=url,
            binding=f"DB{n}",
            strategy="d1",
            reason="",
            env="DATABASE_URL" if not n else None,
        )
        for n in range(databases)
    )
    settings = Settings(
        name="My App!",
        app=AppSection(framework="flask", entry="app:app", root=options.pop("app_root", ".")),
        databases=tuple(DatabaseSection(name=p.name, url=p.url, binding=p.binding) for p in plans),
        **options,
    )
    project = Project(root, settings, root / "edgelift.toml")
    plan = Plan(
        placement="worker",
        placement_reason="",
        databases=plans,
        crons=("*/5 * * * *",),
        models=("m.joblib",),
    )
    journal = Journal(project.state / "journal.db")
    journal.write_document("plan", plan)
    journal.write_document("inventory", Inventory(framework="flask", entry="app:app"))
    for p in plans:
        (project.folder("schema") / f"{p.name}.tables.sql").write_text("CREATE TABLE t(a);")
        (project.folder("schema") / f"{p.name}.after.sql").write_text("CREATE INDEX i ON t(a);")
    parts = read_parts(project, journal)
    journal.close()
    return parts


def test_the_generated_files(tmp_path: Path) -> None:
    parts = make_parts(tmp_path)
    files = generated.build_files(parts, Resolution(wheels=(WHEEL,)), ["app.py", "t/a.html"])
    assert set(files) == {
        "wrangler.jsonc", "pyproject.toml", "src/entry.py", ".gitignore", "DEPLOY.md",
        "migrations/0001_schema.sql", "migrations/0002_after_load.sql",
    }  # fmt: skip
    assert files["migrations/0001_schema.sql"] == b"CREATE TABLE t(a);"
    project = tomllib.loads(files["pyproject.toml"].decode())
    assert project["project"]["dependencies"] == ["flask==3.1.3"]
    assert "workers-py==1.17.9" in project["dependency-groups"]["dev"]


def test_the_configuration(tmp_path: Path) -> None:
    parts = make_parts(
        tmp_path,
        env={"A": EnvSection(value="1"), "KEY": EnvSection(secret=True)},
        static=(StaticSection(path="static", url="/static"),),
    )
    text = generated.build_files(parts, Resolution(), ["a.html"])["wrangler.jsonc"].decode()
    config = json.loads(strip_comments(text))
    assert config["name"] == "my-app"
    assert config["compatibility_date"] >= "2026-09-08"
    assert config["compatibility_flags"] == ["python_workers"]
    assert config["vars"] == {"A": "1"}
    assert config["secrets"] == {"required": ["KEY"]}
    assert config["triggers"] == {"crons": ["*/5 * * * *"]}
    assert config["assets"]["html_handling"] == "none"
    assert config["d1_databases"] == [
        {"binding": "DB0", "database_name": "my-app-db0", "migrations_dir": "migrations"}
    ]


def test_several_databases_have_their_own_migrations(tmp_path: Path) -> None:
    parts = make_parts(tmp_path, databases=2)
    files = generated.build_files(parts, Resolution(), [])
    assert {"migrations/db0/0001_schema.sql", "migrations/db1/0001_schema.sql"} <= set(files)


def test_nothing_is_configured_that_is_not_there(tmp_path: Path) -> None:
    config = generated.build_config(make_parts(tmp_path, databases=0), [])
    assert not {"assets", "d1_databases", "vars", "secrets"} & set(config)


@pytest.mark.parametrize(
    ("names", "globs"),
    [
        (["a.py", "b/c.py"], []),
        (["a.html", "b/c.html", "d.json"], ["**/*.html", "**/*.json"]),
        (["Makefile", ".hidden", "odd [1].txt~"], ["**/.hidden", "**/Makefile", "**/odd ?1?.txt?"]),
    ],
)
def test_every_file_that_is_not_python_is_uploaded_as_data(
    names: list[str], globs: list[str]
) -> None:
    rules = generated.build_rules(names)
    assert rules[0] == {"type": "Text", "globs": [], "fallthrough": False}
    assert [rule["globs"] for rule in rules[1:]] == ([globs] if globs else [])


@pytest.mark.parametrize(
    ("text", "name"), [("Shop", "shop"), ("--", "app"), ("Ä b_c", "b-c"), ("x" * 99, "x" * 63)]
)
def test_worker_names(text: str, name: str) -> None:
    assert generated.worker_name(text) == name


def run_entry(parts: Parts, root: str) -> tuple[dict, dict]:
    """Return SETTINGS and the environment that the entry module sets, read without running it."""
    module = ast.parse(generated.build_entry(parts))
    settings, environment = {}, {}
    for node in module.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "SETTINGS"
        ):
            settings = ast.literal_eval(node.value)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            key = node.targets[0].slice.value
            environment[key] = eval(ast.unparse(node.value), {"str": str, "ROOT": root})
    return settings, environment


def test_the_entry_holds_settings_relative_to_itself(tmp_path: Path) -> None:
    parts = make_parts(
        tmp_path, jobs=(JobSection(name="j", schedule="* * * * *", call="a:b"),), app_root="src"
    )
    settings, environment = run_entry(parts, "/session/metadata")
    assert settings["root"] == "./src"
    assert settings["databases"][0]["path"] == "./instance/x.db"
    assert settings["jobs"] == [{"name": "j", "schedule": "* * * * *", "call": "a:b"}]
    assert settings["models"] == ["m.joblib"]
    assert environment == {"DATABASE_URL": "sqlite:////session/metadata/instance/x.db"}


def test_the_deployed_worker_gets_the_settings_of_the_local_one(tmp_path: Path) -> None:
    parts = make_parts(tmp_path, app_root="src")
    settings, _ = run_entry(parts, "/app")
    assert anchor_paths(settings, Path("/app")) == parts.build_settings("/app")
    assert list(inspect.signature(build_entrypoint).parameters) == ["settings", "root"]


@pytest.mark.parametrize(
    ("url", "value", "told"),
    [
        ("sqlite:///data/x.db", "sqlite:////app/data/x.db", True),
        ("data/x.db", "/app/data/x.db", False),
        ("file:data/x.db", "file:/app/data/x.db", False),
        ("sqlite+pysqlite:///x.db", "sqlite+pysqlite:////app/x.db", False),
    ],
)
def test_the_variable_of_a_database_keeps_its_form(
    tmp_path: Path, url: str, value: str, told: bool
) -> None:
    parts = make_parts(tmp_path, url=url)
    assert parts.read_environment() == {"DATABASE_URL": value}
    assert ("env" in parts.build_settings("/app")["databases"][0]) is told


@pytest.mark.parametrize("url", ['sqlite:///it\'s "{odd}".db', "sqlite:////var/lib/x.db"])
def test_odd_database_paths_survive_the_entry(tmp_path: Path, url: str) -> None:
    _, environment = run_entry(make_parts(tmp_path, url=url), "/r")
    expected = url if url.startswith("sqlite:////") else url.replace("sqlite:///", "sqlite:////r/")
    assert environment == {"DATABASE_URL": expected}


def test_an_origin_with_an_entry_module_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "entry.py").write_text("")
    parts = make_parts(tmp_path)
    assert parts.entry_file == "edgelift_entry.py"
    assert generated.build_config(parts, [])["main"] == "src/edgelift_entry.py"


def test_local_settings_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "s3cret")
    monkeypatch.delenv("OTHER", raising=False)
    env = {
        "A": EnvSection(value="1"),
        "KEY": EnvSection(secret=True),
        "OTHER": EnvSection(secret=True),
    }
    parts = make_parts(tmp_path, env=env)
    assert parts.build_settings("/app")["databases"][0]["path"] == "/app/instance/x.db"
    assert parts.build_settings("/app")["root"] == "/app"
    assert parts.build_settings("/app")["env_names"] == ["A", "DATABASE_URL", "KEY", "OTHER"]
    assert parts.read_environment() == {
        "A": "1", "KEY": "s3cret", "DATABASE_URL": "sqlite:////app/instance/x.db",
    }  # fmt: skip
    files = generated.build_files(parts, Resolution(), [])
    assert not any(b"s3cret" in content for content in files.values())


def test_without_plan_or_schema_the_build_says_what_to_run(tmp_path: Path) -> None:
    parts = make_parts(tmp_path)
    journal = Journal(tmp_path / "empty.db")
    with pytest.raises(UsageError, match="no plan"):
        read_parts(parts.project, journal)
    journal.close()
    (parts.project.state / "schema/db0.after.sql").unlink()
    journal = Journal(parts.project.state / "journal.db")
    with pytest.raises(UsageError, match="no schema"):
        read_parts(parts.project, journal)
    journal.close()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    for name, content in {
        "app.py": "", "edgelift.toml": "", ".env": "K=1", "conf/.env.production": "K=1",
        "keys/public.pem": "-----BEGIN PUBLIC KEY-----", "keys/private.txt": "-----BEGIN RSA PRIVATE KEY-----\n",
        "instance/x.db": "", "instance/x.db-wal": "", "instance/geo.db": "", "static/a.css": "a",
        "tests/test_app.py": "", "lib/tests/data.py": "", "m.joblib": "", "data/rows.csv": "",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_what_the_app_may_read_rides_along(origin: Path) -> None:
    parts = make_parts(origin, static=(StaticSection(path="static", url="/static"),))
    found = select_source(parts.project, imported=(), exported=("m.joblib",))
    assert found.files == (
        "app.py", "data/rows.csv", "instance/geo.db", "keys/public.pem", "lib/tests/data.py", "static/a.css",
    )  # fmt: skip
    assert set(found.left_out) == {
        ".env", "conf/.env.production", "keys/private.txt", "instance/x.db", "instance/x.db-wal",
        "tests/test_app.py", "m.joblib",
    }  # fmt: skip


def test_tests_that_the_app_imports_ride_along(origin: Path) -> None:
    parts = make_parts(origin)
    assert "tests/test_app.py" in select_source(parts.project, ("tests",), ()).files


def test_large_static_folders_are_assets_only(
    origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "KEPT_STATIC_BYTES", 0)
    parts = make_parts(origin, static=(StaticSection(path="static", url="/static"),))
    found = select_source(parts.project, (), ())
    assert found.left_out["static/a.css"] == "a static file, served as an asset"


def test_an_unreadable_file_is_told(origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = make_parts(origin)
    real = Path.open

    def refuse(path: Path, *arguments, **options):
        if path.name == "app.py":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OriginError, match=r"app\.py cannot be read"):
        select_source(parts.project, (), ())


def test_modules_hold_the_adapter_and_are_made_once(tmp_path: Path) -> None:
    worker, notes = tmp_path / "worker", []
    fill_modules(Resolution(), worker, cache=tmp_path, note=notes.append)
    assert (worker / "python_modules/edgelift/worker/runtime.py").is_file()
    assert not (worker / "python_modules/edgelift/errors.py").exists()
    assert not list(worker.rglob("*.pyc"))
    before = hash_folder(worker / "python_modules")
    fill_modules(Resolution(), worker, cache=tmp_path, note=notes.append)
    assert (len(notes), hash_folder(worker / "python_modules")) == (1, before)


def test_modules_changed_by_hand_are_not_lost(tmp_path: Path) -> None:
    worker = tmp_path / "worker"
    fill_modules(Resolution(), worker, cache=tmp_path, note=lambda _text: None)
    changed = worker / "python_modules/edgelift/worker/runtime.py"
    changed.write_text("mine")
    with pytest.raises(TargetError, match="changed by hand"):
        fill_modules(Resolution(), worker, cache=tmp_path, note=lambda _text: None)
    assert changed.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('{"a": 1} // x', {"a": 1}),
        (
            '{"url": "http://x/*y*/", /* c\n */ "b": [1, 2,],}',
            {"url": "http://x/*y*/", "b": [1, 2]},
        ),
        ('{"q": "\\"//", }', {"q": '"//'}),
        ('{"c": ",]"}', {"c": ",]"}),
    ],
)
def test_comments_and_trailing_commas_are_understood(text: str, plain: dict) -> None:
    assert json.loads(strip_comments(text)) == plain


def test_wranglers_words_are_kept() -> None:
    assert told_errors("a\n✘ [ERROR] bad thing\nb\n") == ("✘ [ERROR] bad thing",)
    assert told_errors("a\nlast\n") == ("last",)
