"""edgelift.toml, whatever stands in it: settings that obey their own rules, or a three-line error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgelift.errors import UsageError
from edgelift.project import Settings, parse_settings

UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
WHOLE: dict[str, Any] = {
    "name": "x",
    "databases": [
        {"name": "main", "url": "postgresql://h/d", "strategy": "object", "binding": "DB"},
        {"name": "other", "url": "sqlite:///a.db", "binding": "OTHER"},
    ],
    "schema": {
        "exclude": ["a", "b.*"],
        "timestamps": "unix",
        "uuid": "hex",
        "cast": [{"table": "t", "column": "c", "as": "scaled", "scale": 2}],
        "rename": [{"table": "t", "to": "u", "column": "c", "database": "main"}],
        "rewrite": [
            {"table": "t", "as": "uuid7", "namespace": UUID, "base_ms": 5, "also": ["a.b"]},
            {"table": "t", "as": "unix", "column": "at"},
        ],
    },
    "data": {
        "throttle": "20 MB/s",
        "chunk_rows": 10,
        "sample": 0.5,
        "workers": 2,
        "scheduler": "tcp://h:1",
        "shards": {
            "by": "tenant",
            "column": "tenant_id",
            "count": 4,
            "replicate": ["r"],
            "route": {"from": "header:X-Tenant"},
        },
    },
    "parity": {"tolerance": 0.1, "ignore": ["GET / a"], "headers": {"a": "b"}},
    "accept": {"rules": ["X"]},
}
scalars = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["", " ", ".", "t.c", "*", "sqlite_x", "${X}", "é", "0 rows/s", "٣ rows/s"]),
    st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-1, 0, 1, 2, 18, 19, 4096, 4097, 2**48]),
    st.floats() | st.booleans() | st.dates(),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abn", max_size=3), inner),
    max_leaves=4,
)


def list_places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values of a document."""
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    found = []
    for key, value in inner:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += list_places(value, (*path, key))
    return found


def change(document: Any, path: tuple[Any, ...], what: str, value: object) -> Any:
    """Return a copy of the document that differs at one place."""
    head, *rest = path
    copy = dict(document) if isinstance(document, dict) else list(document)
    if rest:
        copy[head] = change(copy[head], tuple(rest), what, value)
    elif what == "drop":
        del copy[head]
    elif what == "add" and isinstance(copy, dict):
        copy[f"{head}_"] = value
    else:
        copy[head] = value
    return copy


def try_settings(path: Path) -> Settings | None:
    try:
        return parse_settings(path)
    except UsageError as error:
        what, why, tip = str(error).splitlines()
        assert str(path) in what
        assert why
        assert tip
        return None


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "edgelift.toml"


def test_the_whole_document_is_taken(file: Path) -> None:
    file.write_text(tomlkit.dumps(WHOLE))
    found = parse_settings(file)
    assert found.schema.rewrite[0].namespace == UUID
    assert found.data.read_throttle() == (0.0, 20_000_000.0)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(list_places(WHOLE)), st.sampled_from(["set", "drop", "add"]), values)
def test_one_value_is_another(file: Path, place: tuple[Any, ...], what: str, value: object) -> None:
    file.write_text(tomlkit.dumps(change(WHOLE, place, what, value)), encoding="utf-8")
    found = try_settings(file)
    if found is None:
        return
    data, names = found.data, frozenset(d.name for d in found.databases)
    assert not [*found.schema.find_faults(names), *data.find_faults()]
    assert 1 <= data.chunk_rows <= 10_000_000
    assert 0 <= data.sample <= 1
    assert min(data.read_throttle()) == 0 <= max(data.read_throttle()) < float("inf")
    assert found.parity.tolerance >= 0
    assert all(0 <= cast.scale <= 18 for cast in found.schema.cast)


TEXT = tomlkit.dumps(WHOLE).encode()


@pytest.mark.parametrize("size", range(0, len(TEXT), 3))
def test_a_file_cut_off_at_any_byte(file: Path, size: int) -> None:
    file.write_bytes(TEXT[:size])
    try_settings(file)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, len(TEXT) - 1), st.binary(max_size=4))
def test_bytes_of_the_file_are_others(file: Path, at: int, other: bytes) -> None:
    file.write_bytes(TEXT[:at] + other + TEXT[at + len(other) :])
    try_settings(file)


HEAD = 'name = "x"\n[[databases]]\nname = "main"\nurl = "postgresql://h/d"\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[data]\nworkers = " + "9" * 5000, "4300 digits"),
        ("[data]\nworkers = " + "[" * 5000, "nested"),
        ("[data]\nworkers = " + "{a=" * 5000, "nested"),
        ("[data]\nthrottle = '" + "9" * 400 + " rows/s'", "throttle"),
        ("[data]\nsample = nan", "sample is nan"),
        ("[data]\nworkers = 1e1", "data.workers"),
        ("[data]\nchunk_rows = 9223372036854775808", "chunk_rows"),
        ("[parity]\ntolerance = nan", "parity.tolerance is nan"),
        ("[parity]\ntolerance = inf", "parity.tolerance is inf"),
        ("[parity]\ntolerance = -1.0", "parity.tolerance is -1.0"),
        ('[schema]\n"a\\nb" = 1', "unknown field"),
        ('[schema]\nuuid = "\\ud800"', "Unicode"),
        ("\ufeff", "Invalid"),
        ("\0", "Invalid"),
    ],
    ids=range(14),
)
def test_what_no_settings_can_be_made_of(file: Path, text: str, why: str) -> None:
    file.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        parse_settings(file)
    assert why in caught.value.why
    assert len(str(caught.value).splitlines()) == 3


def test_the_head_alone_is_taken(file: Path) -> None:
    file.write_text(HEAD)
    assert parse_settings(file).databases[0].name == "main"
