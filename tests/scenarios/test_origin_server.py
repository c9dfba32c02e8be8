"""The origin as a server: it starts on a copy, tells why when it does not, and never outlives us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from edgelift.errors import OriginError
from edgelift.project import read_project
from edgelift.sources import origin_server
from edgelift.sources.origin_server import has_module, place_databases, start_origin

PYTHON = Path(sys.executable)
APP = """
import os
from flask import Flask, jsonify
app = Flask(__name__)
app.config["PROPAGATE_EXCEPTIONS"] = True

@app.get("/")
def index():
    return jsonify(pid=os.getpid(), parent=os.getppid(), cwd=os.getcwd(), env=dict(os.environ))

@app.get("/raise")
def fail():
    raise KeyError("left to the server")

@app.get("/die")
def die():
    os.kill(os.getppid(), 9)
    os._exit(1)

def make():
    return app
"""


@pytest.fixture
def project(tmp_path):
    """Return a function that makes a project with some settings."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text(APP)

    def make(entry="app:app", more=""):
        (folder / "edgelift.toml").write_text(
            f'name="p"\n[app]\nframework="flask"\nentry="{entry}"\n{more}'
        )
        return read_project(folder)

    return make


def start(project, tmp_path, databases=None, env=None):
    copy = tmp_path / "copy"
    copy.mkdir(exist_ok=True)
    (copy / "app.py").write_text((project.root / "app.py").read_text())
    return start_origin(
        project,
        copy=copy,
        python=PYTHON,
        databases=databases or {},
        env=env or {},
        log=tmp_path / "logs" / "origin.log",
    )


def get(url):
    with urllib.request.urlopen(url) as reply:
        return json.load(reply)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("gunicorn", "entry", "name"),
    [(True, "app:app", "gunicorn"), (True, "app:make()", "gunicorn"), (False, "app:app", "wsgiref"),
     (False, "app:make()", "wsgiref")],
)  # fmt: skip
def test_it_serves_from_the_copy_and_ends_with_its_group(
    project, tmp_path, monkeypatch, gunicorn, entry, name
):
    monkeypatch.setattr(
        origin_server, "has_module", lambda python, m: gunicorn and has_module(python, m)
    )
    monkeypatch.setenv("UNDECLARED", "1")
    with start(project(entry, '[env]\nA={value="b"}\n'), tmp_path, env={"C": "d"}) as origin:
        assert origin.server == name
        told = get(origin.url)
        origin.check_alive()
    assert told["cwd"] == str(tmp_path / "copy")
    assert (told["env"]["A"], told["env"]["C"]) == ("b", "d")
    assert "UNDECLARED" not in told["env"]
    assert not is_alive(told["pid"])
    origin.stop()


@pytest.mark.parametrize(
    ("entry", "why"),
    [("app:nothing", "nothing"), ("nomodule:app", "nomodule"), ("app:app", "boom")],
)
@pytest.mark.parametrize("gunicorn", [True, False])
def test_a_crash_at_start_gives_the_last_line_of_its_log(
    project, tmp_path, monkeypatch, entry, why, gunicorn
):
    monkeypatch.setattr(
        origin_server, "has_module", lambda python, m: gunicorn and has_module(python, m)
    )
    made = project(entry)
    if why == "boom":
        (made.root / "app.py").write_text("raise RuntimeError('boom')")
    with pytest.raises(OriginError, match="did not start") as caught:
        start(made, tmp_path)
    assert why in caught.value.why
    assert len(caught.value.lines()) == 3


def test_a_python_that_does_not_run_is_named(project, tmp_path):
    with pytest.raises(OriginError, match="does not run"):
        start_origin(
            project(), copy=tmp_path, python=tmp_path / "no", databases={}, env={},
            log=tmp_path / "log",
        )  # fmt: skip


def test_an_asgi_app_needs_uvicorn(project, tmp_path, monkeypatch):
    monkeypatch.setattr(origin_server, "has_module", lambda *_: False)
    made = project()
    (made.root / "edgelift.toml").write_text('name="p"\n[app]\nframework="asgi"\nentry="app:app"\n')
    with pytest.raises(OriginError, match="no uvicorn"):
        start(read_project(made.root), tmp_path)


def test_a_server_that_dies_later_is_noticed(project, tmp_path):
    with start(project(), tmp_path) as origin:
        with pytest.raises(OSError):
            get(f"{origin.url}/die")
        assert origin.process.wait(10) is not None
        with pytest.raises(OriginError, match="stopped"):
            origin.check_alive()


def test_it_ends_when_edgelift_is_killed(project, tmp_path):
    project()
    code = (
        "import sys, pathlib\n"
        "from edgelift.project import read_project\n"
        "from edgelift.sources.origin_server import start_origin\n"
        "root, copy = map(pathlib.Path, sys.argv[1:])\n"
        "o = start_origin(read_project(root), copy=copy, python=pathlib.Path(sys.executable),"
        " databases={}, env={}, log=copy / 'log')\n"
        "print(o.url, flush=True)\n"
        "sys.stdin.read()\n"
    )
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "app.py").write_text(APP)
    parent = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "project", copy],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    told = get(parent.stdout.readline().strip())
    # Closed when the last process of the server's group has ended: no need to poll.
    watch = [os.pidfd_open(told[name]) for name in ("pid", "parent")]
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    import select

    for descriptor in watch:
        assert select.select([descriptor], [], [], 20)[0]
        os.close(descriptor)


URL_CASES = [
    ("sqlite:///data/a.db", "DATABASE_URL", "data/a.db", "sqlite:///{}"),
    ("sqlite+pysqlite:///a.db", "DB_URI", "a.db", "sqlite+pysqlite:///{}"),
    ("a.db", "DB_PATH", "a.db", "{}"),
    ("sqlite:////elsewhere/a.db", "DB_URL", ".edgelift-databases/main.sqlite", "sqlite:///{}"),
    ("/elsewhere/a.db", "DB_PATH", ".edgelift-databases/main.sqlite", "{}"),
]


@pytest.mark.parametrize(("url", "env", "place", "value"), URL_CASES)
def test_databases_are_placed_in_the_copy(project, tmp_path, url, env, place, value):
    snapshot = tmp_path / "snapshot.sqlite"
    snapshot.write_bytes(b"data")
    made = project(more=f'[[databases]]\nname="main"\nurl="{url}"\nenv="{env}"\n')
    copy = tmp_path / "copy"
    placed, variables = place_databases(made, copy, {"main": snapshot})
    assert placed == {"main": copy / place}
    assert placed["main"].read_bytes() == b"data"
    assert variables == {env: value.format(copy / place)}


def test_a_database_outside_without_a_variable_is_refused(project, tmp_path):
    made = project(more='[[databases]]\nname="main"\nurl="sqlite:////elsewhere/a.db"\n')
    with pytest.raises(OriginError, match="cannot be run on a copy"):
        place_databases(made, tmp_path, {"main": tmp_path / "x"})


def test_other_databases_are_left_alone(project, tmp_path):
    made = project(more='[[databases]]\nname="main"\nurl="postgresql://h/db"\n')
    assert place_databases(made, tmp_path, {"main": tmp_path / "x"}) == ({}, {})


def test_a_missing_snapshot_is_an_error(project, tmp_path):
    made = project(more='[[databases]]\nname="main"\nurl="a.db"\n')
    with pytest.raises(OriginError, match="cannot be copied"):
        place_databases(made, tmp_path / "copy", {"main": tmp_path / "none"})


def test_both_servers_answer_alike_when_the_app_raises(project, tmp_path, monkeypatch):
    said = []
    for gunicorn in (True, False):
        monkeypatch.setattr(
            origin_server,
            "has_module",
            lambda _python, module, known=gunicorn: module != "gunicorn" or known,
        )
        with start(project(), tmp_path) as origin:
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{origin.url}/raise")
            said.append(
                (caught.value.code, caught.value.headers["Content-Type"], caught.value.read())
            )
            caught.value.close()
    assert said[0] == said[1]
