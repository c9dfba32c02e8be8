"""Bad input at the command line: three lines on stderr, the right exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from edgelift.cli import main
from edgelift.journal import hold_project

APP = """\
from flask import Flask
app = Flask(__name__)
@app.get("/")
def index():
    return "hello"
"""
# The origin's Python is the tests' own, which has Flask: no environment has to be made.
TOML = f"""\
name = "shop"
[app]
framework = "flask"
entry = "app:app"
python = "{sys.executable}"
"""


@pytest.fixture
def backend(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    (folder / "requirements.txt").write_text("flask\n")
    (folder / "edgelift.toml").write_text(TOML)
    return folder


@pytest.fixture
def edgelift(capsys: pytest.CaptureFixture[str]):
    """Run a command line; return its exit code, stdout and the lines of stderr."""

    def run(*arguments: object) -> tuple[int, str, list[str]]:
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err.splitlines()

    return run


def assert_error(result: tuple[int, str, list[str]], code: int, *words: str) -> None:
    exit_code, _, lines = result
    assert exit_code == code
    assert len(lines) >= 3
    what, why, tip = lines[-3:]
    assert tip.startswith("Tip: ")
    for word in words:
        assert word in f"{what} {why}"
    assert not any("Traceback" in line for line in lines)


@pytest.mark.parametrize("verb", ["init", "assess", "lift", "status", "report", "dev"])
def test_a_missing_folder(edgelift, verb: str, tmp_path: Path) -> None:
    assert_error(edgelift(verb, tmp_path / "nothing"), 2, "no folder")


def test_a_file_for_a_folder(edgelift, backend: Path) -> None:
    assert_error(edgelift("lift", backend / "app.py"), 2, "not a folder")


def test_an_unknown_verb(edgelift) -> None:
    assert_error(edgelift("lfit", "."), 2, "lfit")


def test_a_missing_argument(edgelift) -> None:
    assert_error(edgelift("lift"), 2, "PATH")


def test_an_unknown_option(edgelift, backend: Path) -> None:
    assert_error(edgelift("lift", backend, "--fast"), 2, "--fast")


def test_status_before_init(edgelift, backend: Path) -> None:
    (backend / "edgelift.toml").unlink()
    assert_error(edgelift("status", backend), 2, "no edgelift.toml")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("name = x\n", "line 1"),
        ("name = 'x'\n", "app"),
        (TOML + "colour = 'red'\n", "colour"),
        (TOML.replace("flask", "rails"), "rails"),
        (TOML.replace("app:app", "app"), "entry"),
        (TOML + "[[jobs]]\nname='a'\nschedule='hourly'\n", "hourly"),
        (TOML + "[env.KEY]\nsecret=true\nvalue='s3cret'\n", "KEY"),
        (TOML + "[[databases]]\nname=1\nurl='x'\n", "databases"),
    ],
)
def test_a_wrong_project_file(edgelift, backend: Path, text: str, word: str) -> None:
    (backend / "edgelift.toml").write_text(text)
    result = edgelift("assess", backend)
    assert_error(result, 2, word)
    assert "s3cret" not in "".join(result[2])


def test_a_project_file_that_is_not_utf8(edgelift, backend: Path) -> None:
    (backend / "edgelift.toml").write_bytes(b"name = '\xff\xfe'")
    assert_error(edgelift("assess", backend), 2, "cannot be read")


def test_two_runs_at_once(edgelift, backend: Path) -> None:
    with hold_project(backend / ".edgelift"):
        assert_error(edgelift("lift", backend, "--exit"), 2, "Another run")


def test_a_damaged_journal(edgelift, backend: Path) -> None:
    (backend / ".edgelift").mkdir()
    (backend / ".edgelift" / "journal.db").write_bytes(b"no database" * 500)
    assert_error(edgelift("assess", backend), 2, "journal")


def test_errors_as_json(edgelift, tmp_path: Path) -> None:
    code, out, _ = edgelift("lift", tmp_path / "nothing", "--json")
    body = json.loads(out)
    assert (code, body["exit_code"]) == (2, 2)
    assert set(body["error"]) == {"what", "why", "tip"}


def test_dry_run_changes_nothing(edgelift, backend: Path) -> None:
    before = sorted(backend.rglob("*"))
    code, out, _ = edgelift("lift", backend, "--dry-run")
    assert code == 0
    assert "verify" in out
    assert sorted(backend.rglob("*")) == before


def test_an_app_that_raises_on_import(edgelift, backend: Path) -> None:
    (backend / "app.py").write_text("raise RuntimeError('no licence')\n")
    assert_error(edgelift("assess", backend), 4, "no licence", "app.py")


def database(backend: Path) -> Path:
    (backend / "edgelift.toml").write_text(
        TOML + '[[databases]]\nname = "main"\nurl = "sqlite:///shop.db"\n'
    )
    file = backend / "shop.db"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)")
        db.execute("INSERT INTO item (name) VALUES ('a')")
    db.close()
    return file


def test_a_missing_database(edgelift, backend: Path) -> None:
    database(backend).unlink()
    assert_error(edgelift("data", backend), 4, "shop.db")


def test_a_corrupt_database(edgelift, backend: Path) -> None:
    database(backend).write_bytes(b"SQLite format 3\x00" + b"\xff" * 8192)
    assert_error(edgelift("data", backend), 4, "shop.db")


def test_a_locked_database(edgelift, backend: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = database(backend)
    monkeypatch.setenv("EDGELIFT_BUSY_TIMEOUT_S", "0.2")
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert_error(edgelift("data", backend), 4, "shop.db", "locked")
    finally:
        holder.close()


def test_help_of_every_verb_has_an_example(edgelift) -> None:
    from edgelift.cli.main import cli

    for name in cli.commands:
        code, out, _ = edgelift(name, "--help")
        assert code == 0
        assert f"edgelift {name} " in out.split("Example", 1)[1]


# root reads everything unless these two capabilities are taken from it
UNPRIVILEGED = [
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
]


def run_unprivileged(*arguments: object) -> tuple[int, str, list[str]]:
    prefix = UNPRIVILEGED if os.geteuid() == 0 else []
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "edgelift", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.splitlines()


@pytest.mark.parametrize("verb", ["init", "assess"])
def test_a_folder_that_cannot_be_entered(backend: Path, verb: str) -> None:
    (backend / "private").mkdir(mode=0o000)
    if verb == "init":
        (backend / "edgelift.toml").unlink()
    try:
        assert_error(run_unprivileged(verb, backend), 2, "private", "cannot be read")
    finally:
        (backend / "private").chmod(0o700)


def test_a_file_that_cannot_be_read(backend: Path) -> None:
    (backend / "notes.txt").write_text("x")
    (backend / "notes.txt").chmod(0o000)
    assert_error(run_unprivileged("assess", backend), 2, "notes.txt", "cannot be read")


def test_a_project_that_cannot_be_written(backend: Path) -> None:
    backend.chmod(0o555)
    try:
        assert_error(run_unprivileged("assess", backend), 2, ".edgelift", "cannot be written")
    finally:
        backend.chmod(0o755)
