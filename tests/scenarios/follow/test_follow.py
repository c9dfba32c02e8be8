"""Databases followed while they are written: nothing is lost, whatever is killed, and faults show."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

import edgelift
from edgelift.errors import OriginError
from tests.scenarios.follow.conftest import make_postgres, make_sqlite
from tests.scenarios.follow.origins import MORE, SCRIPTS, Origin, kill, read_lags
from tests.servers.postgres import require_postgres, start_postgres

pytestmark = [pytest.mark.scenario, pytest.mark.workerd]

KILLS = 20 if os.environ.get("EDGELIFT_NIGHTLY") else 3
LARGEST_FILE = 600_000  # bytes; the changes take 1.6 MB of the target's log

ROLE = (
    "CREATE ROLE plain LOGIN PASSWORD 'word'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain"
)


def wait_for(condition, process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def assert_error(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    lines = done.stderr.strip().splitlines()[-3:]
    assert done.returncode == code, done.stderr
    assert lines[2].startswith("Tip: "), done.stderr
    for word in words:
        assert word in "\n".join(lines), done.stderr


def test_a_writer_during_the_copy_ends_with_no_difference(origin: Origin) -> None:
    with origin.write(1) as writer:
        wait_for(lambda: writer.written > 5)
        done = origin.follow("--verify", "--json", first=True)
        assert done.returncode == 0, done.stderr
        written = writer.written
    assert written > 20
    lags = read_lags(done.stdout)
    assert lags
    assert {"lag", "lag_unit", "lag_s", "transactions", "rows"} <= set(lags[-1])
    outcome = json.loads(done.stdout.splitlines()[-1])
    checks = {c["id"]: c["status"] for c in outcome["checks"] if c["stage"] == "follow"}
    assert set(checks.values()) == {"PASS"}
    assert len(checks) == 3

    again = origin.follow("--verify")
    assert again.returncode == 0, again.stderr
    assert origin.count_applied() > 0
    origin.assert_same()


def test_killed_at_any_moment_it_goes_on(origin: Origin) -> None:
    generator = random.Random(7)
    with origin.write(2) as writer:
        wait_for(lambda: writer.written > 5)
        for _ in range(KILLS):
            process = origin.start(first=not origin.target.exists())
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(generator.uniform(0.2, 3.0))
            assert process.poll() is None, process.communicate()
            kill(process)
    first = origin.target.exists()
    done = origin.follow("--verify", first=not first)
    assert done.returncode == 0, done.stderr
    origin.assert_same()


def test_ctrl_c_ends_it_cleanly_and_status_shows_it(origin: Origin) -> None:
    process = origin.start(first=True)
    wait_for(origin.target.exists, process)
    before = origin.count_applied()
    origin.run("UPDATE book SET title = 'last' WHERE id = 3")
    wait_for(lambda: origin.count_applied() > before, process)
    _, told = kill(process, signal.SIGINT)
    assert process.returncode == 0, told
    assert "stopped; the same command goes on from here" in told
    states = edgelift.status(origin.folder).follows if not origin.environment else ()
    assert [state.state for state in states] in ([], ["stopped"])
    shown = subprocess.run(
        [*origin.command()[:3], "status", str(origin.folder)],
        capture_output=True, text=True, check=True, env={**os.environ, **origin.environment},
    )  # fmt: skip
    assert "main: stopped;" in shown.stdout
    origin.run("DELETE FROM pair WHERE a < 40")
    assert origin.follow().returncode == 0
    origin.assert_same()


def test_a_changed_and_a_lost_row_are_caught(origin: Origin) -> None:
    assert origin.follow("--verify", first=True).returncode == 0
    for sql, words in (
        ("UPDATE book SET price = price + 0.25 WHERE id = 77", ("book", "77", "price")),
        ("DELETE FROM pair WHERE a = 12", ("pair", "12", "missing row")),
    ):
        with contextlib.closing(sqlite3.connect(origin.target)) as db:
            assert db.execute(sql).rowcount == 1
            db.commit()
        done = origin.follow("--verify")
        assert_error(done, 6, "differs from the origin", *words)
        assert origin.follow().returncode == 0  # without --verify nobody looked
        if "UPDATE" in sql:
            with contextlib.closing(sqlite3.connect(origin.target)) as db:
                db.execute("UPDATE book SET price = price - 0.25 WHERE id = 77")
                db.commit()
    done = origin.follow("--verify", "--force", "--install-triggers")
    assert done.returncode == 0, done.stderr


def test_a_change_that_was_lost_on_the_way_is_caught(origin: Origin) -> None:
    assert origin.follow(first=True).returncode == 0
    origin.run("UPDATE book SET title = 'lost' WHERE id = 5")
    held = origin.target.read_bytes()
    assert origin.follow("--verify").returncode == 0
    with contextlib.closing(sqlite3.connect(origin.target)) as db:
        (position,) = db.execute("SELECT position FROM _edgelift_follow").fetchone()
    origin.target.write_bytes(held)
    with contextlib.closing(sqlite3.connect(origin.target)) as db:  # a position without its rows
        db.execute("UPDATE _edgelift_follow SET position = ?", (position,))
        db.commit()
    assert_error(origin.follow("--verify"), 6, "book", "lost")


def test_a_changed_schema_stops_it_with_all_before_applied(origin: Origin) -> None:
    assert origin.follow(first=True).returncode == 0
    process = origin.start()
    origin.run("UPDATE book SET title = 'before' WHERE id = 9")
    before = origin.count_applied()
    wait_for(lambda: origin.count_applied() > before or process.poll() is not None)
    origin.run("ALTER TABLE book ADD COLUMN more INTEGER")
    origin.run("UPDATE book SET more = 1 WHERE id = 9")
    _, told = process.communicate(timeout=60)
    done = subprocess.CompletedProcess(process.args, process.returncode, "", told)
    assert_error(done, 4, "changed while it was followed", "--force")
    with contextlib.closing(sqlite3.connect(origin.target)) as db:
        assert db.execute("SELECT title FROM book WHERE id = 9").fetchone() == ("before",)
    assert_error(origin.follow(), 4, "changed while it was followed")
    assert origin.follow("--verify", "--force").returncode == 0
    origin.assert_same()


def test_dropping_leaves_nothing_at_the_origin(origin: Origin) -> None:
    assert origin.follow(first=True).returncode == 0
    assert_nothing = {
        "postgres": "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
        " UNION ALL SELECT pubname FROM pg_publication",
        "mysql": "SELECT 1 FROM author WHERE false",
        "sqlite": "SELECT name FROM sqlite_schema WHERE name LIKE '%edgelift%'",
    }[origin.kind]
    done = subprocess.run(
        origin.command("--drop"), capture_output=True, text=True, check=False,
        env={**os.environ, **origin.environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with origin.connect() as execute:
        left = execute(assert_nothing)
        assert origin.kind == "mysql" or left.fetchall() == []
    final = origin.target.with_name("main.final.sqlite")
    with contextlib.closing(sqlite3.connect(final)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema")]
    assert "book" in names
    assert not [name for name in names if "edgelift" in name]
    assert not origin.target.exists()


def test_it_follows_by_requests_too(origin: Origin) -> None:
    assert origin.follow(first=True).returncode == 0
    origin.run(
        "UPDATE book SET title = 'changed' WHERE id < 900",
        "INSERT INTO author (id, name) VALUES (900, 'new')",
        "INSERT INTO book (id, author, title, rank) VALUES (90000, 900, 'new', 90000)",
        "DELETE FROM book WHERE id BETWEEN 950 AND 999",
        "UPDATE pair SET a = a + 1000 WHERE a < 20",
        *MORE[origin.kind][0].format(0, 1200, 1201, 5).splitlines(),
    )
    if "bare" in origin.tables:
        origin.run("INSERT INTO bare VALUES ('new', 1)", "UPDATE bare SET n = n + 1 WHERE n < 5")
    done = origin.follow("--requests", "--verify")
    assert done.returncode == 0, done.stderr


def test_a_full_disk_is_told_and_what_was_applied_stays(origin: Origin) -> None:
    assert origin.follow(first=True).returncode == 0

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))

    for number in range(6):
        values = ", ".join(
            f"({n}, 1, '{'x' * 900}', {n})"
            for n in range(20_000 + number * 300, 20_300 + number * 300)
        )
        origin.run(f"INSERT INTO book (id, author, title, rank) VALUES {values}")
    process = origin.start("--until-caught-up", preexec_fn=limit)
    _, told = process.communicate(timeout=120)
    done = subprocess.CompletedProcess(process.args, process.returncode, "", told)
    assert_error(done, 5, "disk is full", "continues where it stood")
    assert origin.follow("--verify").returncode == 0
    origin.assert_same()


def test_the_consent_to_write_the_origin_is_asked_for(tmp_path: Path) -> None:
    origin = make_sqlite(tmp_path)
    held = Path(origin.url).read_bytes()
    origin.options = ()
    assert_error(origin.follow(first=True), 4, "no log of its changes", "--install-triggers")
    assert Path(origin.url).read_bytes() == held


def test_postgres_restarted_and_its_slot_lost(tmp_path: Path) -> None:
    require_postgres()
    with start_postgres() as server:
        server.run(SCRIPTS["postgres"], server.create_database("app").rpartition("/")[2])
        origin = make_postgres(server.url_of("app"), tmp_path / "moved")
        process = origin.start(first=True)
        wait_for(origin.target.exists, process)
        server.restart()
        before = origin.count_applied()
        origin.run("UPDATE book SET title = 'after the restart' WHERE id = 8")
        wait_for(lambda: origin.count_applied() > before, process)
        kill(process, signal.SIGTERM)
        assert process.returncode == 0
        assert origin.follow("--verify").returncode == 0
        origin.assert_same()

        (slot,) = server.run("SELECT slot_name FROM pg_replication_slots")[0]
        origin.run("UPDATE book SET title = 'taken by another' WHERE id = 8")
        server.run(
            f"SELECT count(*) FROM pg_replication_slots, pg_replication_slot_advance('{slot}', "
            "pg_current_wal_lsn())",
            "app",
        )
        assert_error(origin.follow(), 4, "no longer has all changes", "another reader", "--force")
        server.run(f"SELECT pg_drop_replication_slot('{slot}')", "app")
        assert_error(origin.follow(), 4, "no longer has all changes", "dropped", "--force")
        assert origin.follow("--force", "--verify").returncode == 0
        server.stop()
        done = origin.start("--drop")
        done.communicate(timeout=60)
        assert done.returncode == 4


def test_mariadb_restarted_and_its_log_gone(new_mariadb, tmp_path: Path) -> None:
    server = new_mariadb()
    server.run_script(SCRIPTS["mysql"], "app")
    origin = Origin("mysql", server.url, tmp_path / "moved")
    process = origin.start(first=True)
    wait_for(origin.target.exists, process)
    server.kill()
    server.start()
    before = origin.count_applied()
    origin.run("UPDATE book SET title = 'after the restart' WHERE id = 8")
    wait_for(lambda: origin.count_applied() > before, process)
    kill(process, signal.SIGTERM)
    assert process.returncode == 0
    assert origin.follow("--verify").returncode == 0
    origin.assert_same()
    server.execute("RESET MASTER")
    origin.run("UPDATE book SET title = 'lost' WHERE id = 8")
    assert_error(origin.follow(), 4, "log")
    server.restart({"skip-log-bin": "1"})
    assert_error(origin.follow("--force"), 4, "cannot be followed", "log_bin")


@pytest.mark.parametrize(
    ("settings", "setup", "login", "words"),
    [
        ({"wal_level": "replica"}, "SELECT 1", None, ("wal_level is replica", "restart")),
        ({}, ROLE, ("plain", "word"), ("may not replicate", "REPLICATION")),
        ({}, "ALTER TABLE bare REPLICA IDENTITY DEFAULT", None, ("no replica identity", "bare")),
    ],
    ids=["wal_level", "right", "identity"],
)  # fmt: skip
def test_what_postgres_lacks_is_told_before_anything_moves(
    settings, setup, login, words, tmp_path: Path
) -> None:
    require_postgres()
    with start_postgres(settings=settings) as server:
        server.run(SCRIPTS["postgres"], server.create_database("app").rpartition("/")[2])
        server.run(setup, "app")
        url = server.url_of("app", *login) if login else server.url_of("app")
        origin = make_postgres(url, tmp_path / "moved")
        assert_error(origin.follow(first=True), 4, "cannot be followed", *words)
        assert not origin.target.exists()
        assert server.run("SELECT slot_name FROM pg_replication_slots") == []


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OriginError, match="does not exist"):
        edgelift.follow(tmp_path / "none.sqlite", tmp_path / "moved")
