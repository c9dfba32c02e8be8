"""Rules that need a whole folder, or what the import of the app has shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.model.inventory import DatabaseUse
from edgelift.project import DatabaseSection, JobSection, StaticSection
from edgelift.sources.probe import DatabaseSeen, EventSeen, JobSeen, Probe
from edgelift.sources.source_code.view import build_view
from edgelift.stages.assess.rules import check_code
from edgelift.stages.assess.rules.databases import check_databases, check_drivers
from tests.cases.marked import make_project

APP = "from flask import Flask\n\napp = Flask(__name__)\n\n\ndef tidy():\n    return 1\n"


def rules_of(folder: Path, probe: Probe | None = None, **settings: object) -> list[tuple]:
    if not (folder / "app.py").exists():
        (folder / "app.py").write_text(APP)
    view = build_view(make_project(folder, **settings), probe=probe)
    return [(f.rule, f.path, f.line) for f in check_code(view)]


def test_a_large_static_file(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "small.css").write_text("x")
    sections = (StaticSection(path="static", url="/static"),)
    assert rules_of(tmp_path, static=sections) == []
    with (tmp_path / "static" / "film.mp4").open("wb") as handle:
        handle.truncate(25 * 1024 * 1024 + 1)
    assert rules_of(tmp_path, static=sections) == [("LIMIT-ASSET-SIZE", "static/film.mp4", None)]


def test_many_static_files(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("edgelift.stages.assess.rules.limits._ASSET_FILES", 2)
    (tmp_path / "static").mkdir()
    sections = (StaticSection(path="static", url="/static"),)
    for number in range(3):
        assert rules_of(tmp_path, static=sections) == []
        (tmp_path / "static" / f"{number}.css").write_text("x")
    assert rules_of(tmp_path, static=sections) == [("LIMIT-ASSET-COUNT", "static", None)]


def test_files_of_secrets(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text("KEY=\n")
    assert rules_of(tmp_path) == []
    (tmp_path / ".env").write_text("KEY=1\n")
    assert rules_of(tmp_path) == [("SECRET-FILE", ".env", None)]


def test_crontab_lines_but_not_comments(tmp_path: Path) -> None:
    (tmp_path / "crontab").write_text("# m h\nSHELL=/bin/sh\n*/5 * * * * python tidy.py\n")
    (tmp_path / "crontab.md").write_text("Edit the crontab with care.\n")
    assert rules_of(tmp_path) == [("JOB-CRONTAB", "crontab", 3)]


def test_a_file_that_cannot_be_parsed(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("print 'python 2'\n")
    assert rules_of(tmp_path) == [("IMPORT-SYNTAX", "old.py", 1)]


def job(**changes: str) -> JobSeen:
    return JobSeen(
        **{"name": "tidy", "call": "app:tidy", "trigger": "t", "schedule": "0 * * * *", **changes}
    )


def test_jobs_without_cron_and_without_declaration(tmp_path: Path) -> None:
    odd = job(schedule="", problem="every 7 minutes does not divide an hour")
    assert rules_of(tmp_path, Probe(jobs=(odd,))) == [("JOB-NO-CRON", "app.py", 6)]
    assert rules_of(tmp_path, Probe(jobs=(job(),))) == [("JOB-UNDECLARED", "app.py", 6)]


def test_a_declared_job_is_no_finding_whatever_its_trigger(tmp_path: Path) -> None:
    odd = job(schedule="", problem="every 7 minutes does not divide an hour")
    declared = (JobSection(name="tidy", schedule="*/7 * * * *", call="app:tidy"),)
    assert rules_of(tmp_path, Probe(jobs=(odd,)), jobs=declared) == []


def test_what_the_import_did(tmp_path: Path) -> None:
    events = (
        EventSeen(kind="network", detail="('db', 5432)", path="app.py", line=3),
        EventSeen(kind="entropy", detail="os.urandom", path="app.py", line=4),
        EventSeen(kind="listen", detail="('::1', 0)"),
    )
    seen = Probe(events=events, databases=(DatabaseSeen(database="a.db", path="app.py", line=5),))
    assert rules_of(tmp_path, seen) == [
        ("IMPORT-NETWORK", "app.py", 3),
        ("IMPORT-ENTROPY", "app.py", 4),
        ("IMPORT-DATABASE", "app.py", 5),
    ]


def test_a_driver_of_a_server_that_is_not_declared() -> None:
    imported = ["flask", "psycopg2", "pymysql"]
    server = DatabaseSection(name="main", url="postgresql://db/shop")
    found = [(f.rule, f.message.partition(":")[0]) for f in check_drivers(imported, [server])]
    assert found == [("DB-SERVER-UNDECLARED", "pymysql")]
    assert len(list(check_drivers(imported, []))) == 2


@pytest.mark.parametrize(
    ("url", "declared"),
    [
        ("postgresql+psycopg2://shop:word@db:5432/shop", True),
        ("postgres://db/shop", True),
        ("postgresql://db/other", False),
        ("mysql+pymysql://db/shop", False),
    ],
)
def test_a_server_is_known_by_its_address_however_it_is_written(
    url: str, declared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_HOST", "db")
    section = DatabaseSection(name="main", url="postgresql://${DB_HOST}/shop")
    found = list(check_databases([DatabaseUse(name="main", url=url)], [section]))
    assert (not found) is declared


def test_a_database_that_is_not_declared() -> None:
    declared = [
        DatabaseSection(name="main", url="sqlite:///instance/a.db"),
        DatabaseSection(name="plain", url="b.db", binding="B", env="B_PATH"),
    ]
    found = [
        DatabaseUse(name="main", url="sqlite:///instance/a.db"),
        DatabaseUse(name="b", url="sqlite:///b.db"),
        DatabaseUse(name="elsewhere", url="sqlite:////srv/b.db", env="B_PATH"),
        DatabaseUse(name="c", url="sqlite:///c.db", path="app.py", line=9),
    ]
    findings = list(check_databases(found, declared))
    assert [(f.rule, f.level, f.line) for f in findings] == [("DB-UNDECLARED", "error", 9)]
