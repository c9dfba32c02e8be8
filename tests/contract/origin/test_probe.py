"""The probe imports real apps in a subprocess and tells what they are; hostile ones end clearly."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest

from edgelift.errors import OriginError
from edgelift.project import AppSection, DatabaseSection, EnvSection, Project, Settings
from edgelift.sources.probe import Probe, probe_app, try_import

PYTHON = Path(sys.executable)
FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"


def make(folder: Path, text: str, entry: str = "app:app", **env: EnvSection) -> Project:
    (folder / "app.py").write_text(text)
    app = AppSection(framework="flask", entry=entry)
    return Project(folder, Settings(name="x", app=app, env=env), folder / "edgelift.toml")


def probe(folder: Path, text: str, entry: str = "app:app", **env: EnvSection) -> Probe:
    return probe_app(make(folder, text, entry, **env), PYTHON, lambda _: None)


def fails(folder: Path, text: str, **options: float) -> str:
    with pytest.raises(OriginError) as raised:
        probe_app(make(folder, text), PYTHON, lambda _: None, **options)
    assert len(raised.value.lines()) == 3
    return str(raised.value)


def test_routes_with_converters_and_places(tmp_path: Path) -> None:
    seen = probe(
        tmp_path,
        FLASK
        + "\n\n@app.route('/a/<int:n>/<path:rest>', methods=['GET', 'POST'])\ndef a(n, rest): ...\n"
        "\n\n@app.get('/b/<name>')\ndef b(name): ...\n",
    )
    found = [(r.rule, r.methods, r.parameters, r.path, r.line) for r in seen.routes]
    assert found == [
        ("/a/{n}/{rest}", ("GET", "POST"), {"n": "int", "rest": "path"}, "app.py", 6),
        ("/b/{name}", ("GET",), {"name": "string"}, "app.py", 10),
    ]
    assert seen.framework == "flask"


def test_handlers_behind_decorators_are_found_at_their_own_source(tmp_path: Path) -> None:
    text = (
        "from functools import wraps\n"
        + FLASK
        + "\n\ndef guard(f):\n    @wraps(f)\n    def inner(): return f()\n    return inner\n"
        "\n\n@app.get('/')\n@guard\ndef index(): ...\n"
    )
    assert [(r.path, r.line) for r in probe(tmp_path, text).routes] == [("app.py", 13)]


def test_middleware_is_seen_through(tmp_path: Path) -> None:
    text = (
        FLASK + "\n\n@app.get('/')\ndef index(): ...\n\n\nclass Outer:\n"
        "    def __init__(self, app): self.app = app\n"
        "    def __call__(self, environ, start): return self.app(environ, start)\n\n\n"
        "app = Outer(app)\n"
    )
    seen = probe(tmp_path, text)
    assert (seen.framework, seen.inner, len(seen.routes)) == ("wsgi", "flask", 1)


def test_static_folders_of_app_and_blueprints(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "admin" / "files").mkdir(parents=True)
    text = (
        "from flask import Blueprint, Flask\n\napp = Flask(__name__)\n"
        "admin = Blueprint('admin', __name__, url_prefix='/admin', static_folder='admin/files')\n"
        "app.register_blueprint(admin)\n"
    )
    found = {(s.path, s.url) for s in probe(tmp_path, text).static}
    assert found == {("static", "/static"), ("admin/files", "/admin/files")}


def test_variables_with_defaults_and_places(tmp_path: Path) -> None:
    text = (
        "import os\nfrom os import environ, getenv\n\n"
        "A = os.environ.get('CASE_A', '1')\nB = getenv('CASE_B')\nC = 'CASE_C' in environ\n"
        "D = os.environ['CASE_D']\nE = os.path.join(os.path.dirname(__file__), 'x.db')\n"
        "F = os.environ.get('CASE_F', E)\n" + FLASK
    )
    os.environ["CASE_D"] = "set"
    try:
        seen = probe(tmp_path, text, CASE_D=EnvSection(secret=True))
    finally:
        del os.environ["CASE_D"]
    found = {v.name: (v.default, v.required, v.line) for v in seen.env}
    assert found == {
        "CASE_A": ("1", False, 4),
        "CASE_B": (None, False, 5),
        "CASE_C": (None, False, 6),
        "CASE_D": (None, True, 7),
        "CASE_F": ("x.db", False, 9),
    }


@pytest.mark.parametrize("form", ["sqlite:///data/a.db", "data/a.db"])
def test_the_variable_of_a_database_names_it_in_the_copy(form: str, tmp_path: Path) -> None:
    text = (
        "import os\nvalue = os.environ['CASE_DB']\n"
        "place = os.path.realpath(os.path.join('data', 'a.db'))\n"
        "assert value in (place, 'sqlite:///' + place), value\n" + FLASK
    )
    (tmp_path / "app.py").write_text(text)
    (tmp_path / "data").mkdir()
    app = AppSection(framework="flask", entry="app:app")
    database = DatabaseSection(name="main", url=form, env="CASE_DB")
    settings = Settings(name="x", app=app, databases=(database,))
    project = Project(tmp_path, settings, tmp_path / "edgelift.toml")
    assert probe_app(project, PYTHON, lambda _: None).error is None


def test_undeclared_variables_of_this_process_are_not_passed_on(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("CASE_HIDDEN", "1")
    text = "import os\nassert 'CASE_HIDDEN' not in os.environ\n" + FLASK
    assert probe(tmp_path, text).error is None


def test_nothing_of_the_origin_is_written(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "data.db")
    db.execute("CREATE TABLE t (n)")
    db.commit()
    db.close()
    outside = tmp_path.parent / f"{tmp_path.name}-outside.db"
    sqlite3.connect(outside).close()
    origin = str(tmp_path)
    text = (
        "import os, sqlite3\n"
        "open('log.txt', 'w').write('x')\n"
        f"for path in ('data.db', {origin!r} + '/data.db', {str(outside)!r}):\n"
        "    db = sqlite3.connect(path)\n"
        "    db.execute('CREATE TABLE u (n)') if path != 'data.db' else db.execute('DROP TABLE t')\n"
        "    db.commit()\n"
        "refused = 0\n"
        f"for do in (lambda: open({origin!r} + '/own.txt', 'w'), lambda: os.remove({origin!r} + '/app.py')):\n"
        "    try: do()\n"
        "    except PermissionError: refused += 1\n"
        "assert refused == 2\n" + FLASK
    )
    before = {f.name: f.read_bytes() for f in tmp_path.iterdir() if f.is_file()} | {
        "app.py": text.encode()
    }
    seen = probe(tmp_path, text)
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir() if f.is_file()} == before
    assert outside.read_bytes() == b""
    assert {d.database for d in seen.databases} == {"data.db", str(outside)}
    assert [(f.file, f.writes, f.line) for f in seen.files] == [("log.txt", True, 2)]
    assert not (tmp_path / ".edgelift" / "probe").exists()


def test_what_happens_on_import(tmp_path: Path) -> None:
    text = (
        "import os, random, socket, subprocess, threading\n"
        "os.urandom(2)\n"
        "random.random()\n"
        "threading.Thread(target=len, args=('',)).start()\n"
        "subprocess.run(['true'])\n" + FLASK
    )
    found = {
        (e.kind, e.line) for e in probe(tmp_path, text).events if e.path or e.detail == "random"
    }
    assert {("entropy", 2), ("entropy", None), ("thread", 4), ("process", 5)} <= found


def test_a_thread_that_never_ends_does_not_hold_the_probe(tmp_path: Path) -> None:
    text = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n" + FLASK
    assert probe(tmp_path, text).framework == "flask"


def test_an_app_that_prints_and_guards_its_server(tmp_path: Path) -> None:
    text = (
        FLASK
        + "print('{\"not\": \"the result\"}' * 999)\nif __name__ == '__main__':\n    app.run()\n"
    )
    assert probe(tmp_path, text).framework == "flask"


def test_a_factory_is_called(tmp_path: Path) -> None:
    text = "from flask import Flask\n\n\ndef make():\n    return Flask('made')\n"
    assert probe(tmp_path, text, "app:make()").framework == "flask"


def test_loaded_files_and_distributions(tmp_path: Path) -> None:
    (tmp_path / "extra.py").write_text("X = 1\n")
    seen = probe(tmp_path, "import extra\n" + FLASK)
    assert seen.sources == ("app.py", "extra.py")
    assert seen.distributions["flask"].lower() == "flask"
    assert "flask" in seen.modules
    assert "json" not in seen.modules
    assert "flask" not in seen.idle
    assert seen.idle["gunicorn"] == ("gunicorn",)
    assert seen.native.get("markupsafe._speedups", "MarkupSafe") == "MarkupSafe"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1 / 0\n", "ZeroDivisionError: division by zero at app.py:1"),
        ("def f():\n    raise ValueError('no\\nway')\n\n\nf()\n", "ValueError: no way at app.py:2"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3 at app.py:2"),
        ("import os\nos._exit(7)\n", "exit code 7"),
        ("def f(:\n", "SyntaxError"),
        ("import not_there_at_all\n", "add the package of not_there_at_all"),
        ("import os\nos.environ['CASE_GONE']\n", "export CASE_GONE="),
        ("app = 5\n", "is not an app"),
        ("other = 1\n", "AttributeError"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
    ],
)
def test_imports_that_fail(text: str, why: str, tmp_path: Path) -> None:
    assert why in fails(tmp_path, text)


def test_a_hanging_import_is_ended_with_its_children(tmp_path: Path) -> None:
    text = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('waiting', child.pid, flush=True)\nwhile True: time.sleep(1)\n"
    )
    message = fails(tmp_path, text, timeout_s=2.0)
    assert "does not finish its import" in message
    pid = int(message.split("waiting ")[1].split()[0])
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()


def test_a_failing_import_still_tells_what_was_read(tmp_path: Path) -> None:
    project = make(tmp_path, "import os\nos.environ['CASE_GONE']\n")
    seen = try_import(project, PYTHON, lambda _: None)
    assert seen.error is not None
    assert (seen.error.type, seen.error.path, seen.error.line) == ("KeyError", "app.py", 2)
    assert [v.name for v in seen.env] == ["CASE_GONE"]
