"""Values in files of their own, followed: changed ones get a file, those nobody names go."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

import edgelift
from edgelift.errors import VerificationMismatch
from edgelift.targets.object_files import find_object
from tests.contract.mover.moving import read_target

pytestmark = [pytest.mark.scenario, pytest.mark.workerd]
NIGHTLY = os.environ.get("EDGELIFT_NIGHTLY")
FOLLOW = edgelift.FollowOptions(until_caught_up=True, verify=True)
SCHEMA = {
    "postgres": "CREATE TABLE files (id int PRIMARY KEY, body bytea, note text);"
    "ALTER TABLE files ALTER body SET STORAGE EXTERNAL;"
    "INSERT INTO files VALUES (1, decode(repeat('ab', 9000), 'hex'), 'one'), (2, 'two', NULL)",
    "mysql": "CREATE TABLE files (id INT PRIMARY KEY, body LONGBLOB, note LONGTEXT);"
    "INSERT INTO files VALUES (1, unhex(repeat('ab', 9000)), 'one'), (2, 'two', NULL)",
}
CAST = '[[schema.cast]]\ntable = "files"\ncolumn = "{}"\nas = "offload"\n'


def make_origin(request, kind: str) -> tuple[str, Callable[[str], object]]:
    if kind == "postgres":
        url = request.getfixturevalue("make_database")(SCHEMA[kind])

        def run(script: str) -> None:
            with psycopg.connect(url, autocommit=True) as db:
                db.execute(script)  # type: ignore[call-overload]

        return url, run
    server = request.getfixturevalue("mariadb_server")
    name = server.create_database("offloaded")
    server.run_script(SCHEMA[kind], name)
    return server.make_url(name), lambda script: server.run_script(script, name)


@pytest.mark.parametrize("kind", ["postgres", "mysql"] if NIGHTLY else ["mysql"])
def test_changed_values_get_files_and_old_ones_go(request, tmp_path: Path, kind: str) -> None:
    url, run = make_origin(request, kind)
    folder = tmp_path / "moved"
    folder.mkdir()
    database = f'[[databases]]\nname = "main"\nurl = "{url}"\n'
    casts = CAST.format("body") + CAST.format("note")
    (folder / "edgelift.toml").write_text(f'name = "offloaded"\n{database}{casts}')
    state = folder / ".edgelift"
    objects = state / "data" / "objects" / "main"

    def follow() -> dict[str, int]:
        outcome = edgelift.follow(folder, follow_options=FOLLOW)
        (check,) = [c for c in outcome.checks if c.id == "follow.objects:main"]
        return dict(check.counts)

    def list_files() -> set[str]:
        return {path.name for path in objects.glob("??/*")}

    def name(value: bytes) -> str:
        return hashlib.sha256(value).hexdigest()

    long, one, two = b"\xab" * 9000, b"one", b"two"
    assert follow() == {"objects": 3, "objects_missing": 0, "objects_kept": 0, "objects_removed": 0}
    run(
        "INSERT INTO files VALUES (3, 'three', 'drei'); UPDATE files SET note = 'zwei' WHERE id = 2"
    )
    assert follow()["objects"] == 6
    run("UPDATE files SET body = 'other' WHERE id = 3; DELETE FROM files WHERE id = 1")
    run("UPDATE files SET id = 20 WHERE id = 2")
    # Of the copy's values two are named by nobody but the proven copy, and stay with it.
    assert follow() == {"objects": 4, "objects_missing": 0, "objects_kept": 2, "objects_removed": 1}
    wanted = {b"other", b"drei", b"zwei", two, long, one}
    assert list_files() == set(map(name, wanted))
    rows = read_target(state / "follow" / "main.sqlite", "SELECT id, body, note FROM files")
    assert sorted(rows) == [(3, name(b"other"), name(b"drei")), (20, name(two), name(b"zwei"))]
    for value in wanted:
        assert find_object(objects, name(value)).read_bytes() == value

    find_object(objects, name(b"zwei")).unlink()
    with pytest.raises(VerificationMismatch, match="has no file"):
        follow()
    edgelift.follow(folder, follow_options=edgelift.FollowOptions(drop=True))
