"""Which of several databases a section of [schema] is for."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgelift
from edgelift.errors import UsageError
from edgelift.sources.sqlite import SqliteSource
from edgelift.stages.schema.sqlite.names import (
    changes_values,
    find_unknown,
    is_overridden,
    select_known,
)
from tests.unit.sqlite_origin.moving import make, read_settings

TOML = """
[schema]
exclude = ["log", "main.t.v", "by_v", "u.w"]
[[schema.rename]]
table = "t"
to = "things"
[[schema.rename]]
table = "u"
to = "others"
[[schema.cast]]
type = "datetime"
as = "unix"
"""


@pytest.fixture
def catalogues(tmp_path: Path):
    one = make(
        tmp_path / "one.sqlite",
        "CREATE TABLE t (v); CREATE INDEX by_v ON t (v); CREATE TABLE log (x)",
    )
    two = make(tmp_path / "two.sqlite", "CREATE TABLE u (w)")
    return [SqliteSource(path).read_catalogue() for path in (one, two)]


def test_a_section_is_for_the_database_that_has_its_table(catalogues) -> None:
    settings = read_settings(TOML)
    one, two = (select_known(settings, catalogue) for catalogue in catalogues)
    assert one.exclude == ("log", "main.t.v", "by_v")
    assert [section.table for section in one.rename] == ["t"]
    assert two.exclude == ("u.w",)
    assert [section.table for section in two.rename] == ["u"]
    assert one.cast == two.cast == settings.cast
    assert find_unknown(settings, catalogues) == []


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('[schema]\nexclude = ["nope"]', "schema.exclude lists 'nope'"),
        ('[schema]\nexclude = ["nope.v"]', "schema.exclude lists 'nope.v'"),
        ('[[schema.rename]]\ntable = "nope"\nto = "x"', "schema.rename names the table 'nope'"),
    ],
)
def test_a_section_for_none_is_told(catalogues, toml: str, words: str) -> None:
    assert find_unknown(read_settings(toml), catalogues) == [words]


@pytest.mark.parametrize(
    ("toml", "overridden", "values"),
    [
        ("", False, False),
        ('[schema]\ntimestamps = "django"', False, False),
        ('[schema]\nexclude = ["log"]', True, False),
        ('[schema]\nexclude = ["main.log"]', True, False),
        ('[schema]\nexclude = ["t.v"]', True, True),
        ('[[schema.rename]]\ntable = "t"\nto = "u"', True, True),
        ('[[schema.cast]]\ntype = "x"\nas = "text"', True, True),
    ],
)
def test_what_changes_tables_that_move(toml: str, overridden: bool, values: bool) -> None:
    settings = read_settings(toml)
    assert is_overridden(settings) is overridden
    assert changes_values(settings) is values


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('[schema]\ntimestamps = "unix"', "styles in [schema]"),
        ('[schema]\nexclude = ["nope"]', "schema.exclude names the table 'nope'"),
    ],
)
def test_settings_that_nothing_obeys_are_told(tmp_path: Path, more: str, words: str) -> None:
    path = make(tmp_path / "one.sqlite", "CREATE TABLE t (v)")
    folder = tmp_path / "to"
    folder.mkdir()
    (folder / "edgelift.toml").write_text(
        f'name = "x"\n[[databases]]\nname = "main"\nurl = "{path}"\n{more}\n'
    )
    with pytest.raises(UsageError) as caught:
        edgelift.schema(folder)
    assert words in caught.value.what
    assert caught.value.tip
