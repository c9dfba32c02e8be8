"""Changes followed into deployed databases: whatever is killed, lost or late, both sides end the same."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
from pathlib import Path

import pytest

import edgelift
from edgelift.errors import OriginError, TargetError
from tests.scenarios.follow.conftest import make_sqlite
from tests.scenarios.follow.deployed import Deployed
from tests.scenarios.follow.origins import Origin, kill
from tests.scenarios.follow.test_follow import assert_error, wait_for

pytestmark = [pytest.mark.scenario, pytest.mark.workerd]

NIGHTLY = bool(os.environ.get("EDGELIFT_NIGHTLY"))
nightly = pytest.mark.skipif(not NIGHTLY, reason="many processes: nightly")


@pytest.fixture(params=["d1", "object"])
def deployed(request: pytest.FixtureRequest, origin: Origin, tmp_path: Path) -> Deployed:
    return Deployed(origin, request.param, tmp_path / "sql")


@pytest.fixture
def small(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Deployed:
    """A SQLite origin that is followed in this process, with short pauses; into D1 if not told."""
    monkeypatch.setattr("edgelift.targets.door.client.PAUSES_S", (0.01,))
    origin = make_sqlite(tmp_path)
    made = Deployed(origin, getattr(request, "param", "d1"), tmp_path / "sql")
    monkeypatch.setenv("EDGELIFT_LOAD_SECRET", origin.environment["EDGELIFT_LOAD_SECRET"])
    return made


def follow(deployed: Deployed, **options: object) -> edgelift.Outcome:
    wanted = {"until_caught_up": True, "install_triggers": True, "upload": deployed.url, **options}
    return edgelift.follow(
        deployed.origin.folder,
        follow_options=edgelift.FollowOptions(**wanted),  # type: ignore[arg-type]
    )


@nightly
def test_a_writer_kills_and_lost_answers_end_with_no_difference(deployed: Deployed) -> None:
    origin, generator = deployed.origin, random.Random(5)
    with deployed.serve() as proxy:
        proxy.trouble = lambda verb, count: "lost" if verb == "apply" and count % 7 == 3 else ""
        command = ["--upload", deployed.url, *origin.options]
        with origin.write(3) as writer:
            wait_for(lambda: writer.written > 3)
            for _ in range(8):
                process = origin.start(*command)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(generator.uniform(1.0, 6.0))
                assert process.poll() is None, process.communicate()
                kill(process)
            first = origin.follow(*command, "--verify", "--json")
            assert first.returncode == 0, first.stderr
        done = origin.follow(*command, "--verify", "--json")
        assert done.returncode == 0, done.stderr
        outcome = json.loads(done.stdout.splitlines()[-1])
        checks = {c["id"]: c["status"] for c in outcome["checks"] if c["stage"] == "follow"}
        assert set(checks.values()) == {"PASS"}
        assert outcome["follows"][0]["state"] == "caught up"
        assert proxy.seen.count("apply") > 7
    deployed.assert_same()


@pytest.mark.parametrize("small", ["d1", "object"], indirect=True)
def test_what_was_lost_cut_or_refused_for_now_is_sent_again_and_applied_once(
    small: Deployed,
) -> None:
    with small.serve() as proxy:
        assert follow(small).uploads[0].rows == 2550
        small.origin.run("DELETE FROM bare WHERE n < 5", "INSERT INTO bare VALUES ('twice', 1)")
        told = {1: "lost", 2: "503", 3: "429", 4: "cut"}
        before = proxy.seen.count("apply")
        proxy.trouble = lambda verb, n: told.get(n - before, "") if verb == "apply" else ""
        outcome = follow(small, verify=True)
        assert proxy.seen.count("apply") > before + 4
        assert {c.status.value for c in outcome.checks if c.stage == "follow"} == {"PASS"}
    small.assert_same()


def test_a_door_that_goes_half_way_is_told_and_gone_on_from(small: Deployed) -> None:
    with small.serve() as proxy:
        proxy.trouble = lambda verb, count: "503" if verb == "apply" and count > 5 else ""
        with pytest.raises(TargetError, match="do not answer now") as raised:
            follow(small)
        assert "what was applied stays" in raised.value.tip
        proxy.trouble = lambda _verb, _count: ""
        assert follow(small).uploads[0].resumed > 0
        small.origin.run("UPDATE book SET title = 'after' WHERE id < 900")
        before = proxy.seen.count("apply")
        proxy.trouble = lambda verb, count: "cut" if verb == "apply" and count > before + 3 else ""
        with pytest.raises(TargetError, match="cannot be reached"):
            follow(small)
        proxy.trouble = lambda _verb, _count: ""
        assert follow(small, verify=True)
    small.assert_same()


@nightly
def test_errors_are_told_in_three_lines_and_change_nothing(
    small: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = small.origin
    with small.serve() as proxy:
        looked = origin.start("--upload", small.url, "--dry-run")
        _, told = looked.communicate(timeout=60)
        assert (looked.returncode, "would be" in told) == (0, True), told
        assert set(proxy.seen) <= {"read"}
        assert follow(small).follows[0].state == "caught up"
        monkeypatch.setenv("EDGELIFT_LOAD_SECRET", "another secret of twenty letters")
        with pytest.raises(TargetError, match="refuses") as raised:
            follow(small)
        assert len(raised.value.lines()) == 3
        assert "another secret" not in str(raised.value)
        monkeypatch.setenv("EDGELIFT_LOAD_SECRET", origin.environment["EDGELIFT_LOAD_SECRET"])
        # A changed schema stops it with all before applied.
        origin.run("UPDATE book SET title = 'before' WHERE id = 9")
        origin.run("ALTER TABLE pair ADD COLUMN more INTEGER")
        with pytest.raises(OriginError, match="changed while it was followed"):
            follow(small)
        looked = origin.start("--upload", small.url, "--dry-run")
        _, told = looked.communicate(timeout=60)
        assert "transactions are applied" in told
        done = origin.follow("--upload", small.url, "--force", "--install-triggers")
        assert_error(done, 5, "refuses to begin a load", "--replace")
        again = follow(small, replace=True, verify=True)
        assert again.uploads[0].rows == 2550
        follow(small, drop=True)
    small.assert_same()


def test_a_second_run_takes_over_and_the_first_one_ends(small: Deployed) -> None:
    with small.serve():
        follow(small)
        first = small.origin.start("--upload", small.url)
        small.origin.run("UPDATE book SET title = 'one' WHERE id = 1")
        wait_for(lambda: small.proxy.seen.count("apply") > 8, first)
        kill(first)
        small.origin.run("UPDATE book SET title = 'two' WHERE id = 1")
        follow(small, verify=True)
    small.assert_same()
