"""Files of offloaded values: named by their content, written once, swept when nobody names them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edgelift.errors import TargetError
from edgelift.targets.object_files import find_object, name_object, sweep_objects, write_object


@pytest.mark.parametrize("value", ["", "ü" * 9, b"", b"\0\xff" * 99])
def test_a_value_lies_under_its_hash_and_is_written_once(
    tmp_path: Path, value: str | bytes
) -> None:
    data = value.encode() if isinstance(value, str) else value
    assert write_object(tmp_path, value)
    assert not write_object(tmp_path, value)
    path = find_object(tmp_path, name_object(value))
    assert path.name == hashlib.sha256(data).hexdigest()
    assert path.read_bytes() == data
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_sweep_counts_what_is_there_kept_removed_and_missing(tmp_path: Path) -> None:
    for value in ("now", "copied", "left"):
        write_object(tmp_path, value)
    part = find_object(tmp_path, name_object("now")).with_suffix(".part")
    part.write_bytes(b"of a killed run")
    now, copied, gone = map(name_object, ("now", "copied", "gone"))
    sweep = sweep_objects(tmp_path, {now, gone}, {copied, now})
    assert (sweep.wanted, sweep.missing, sweep.kept, sweep.removed) == (2, (gone,), 1, 2)
    assert {p.name for p in tmp_path.glob("??/*")} == {now, copied}


def test_a_folder_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert sweep_objects(tmp_path / "none", set(), {"a"}).removed == 0


def test_a_place_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / name_object("x")[:2]).write_text("a file where the folder shall be")
    with pytest.raises(TargetError, match="cannot be written") as caught:
        write_object(tmp_path, "x")
    assert len(caught.value.lines()) == 3
