"""[schema], [data] and projects without an app: what is taken, and what is refused with which key."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.errors import UsageError
from edgelift.model.mover_settings import DataSection
from edgelift.pipeline import find_stages
from edgelift.project import parse_settings
from edgelift.sources.origin_database import is_server_url, mask_url, open_origin, read_scheme
from edgelift.stages.init.database_settings import PASSWORD, hide_password, write_database_project

HEAD = 'name = "x"\n[[databases]]\nname = "main"\nurl = "postgresql://h/d"\n'
UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


def parse(tmp_path: Path, text: str):
    path = tmp_path / "edgelift.toml"
    path.write_text(HEAD + text)
    return parse_settings(path)


def test_a_project_without_an_app_has_three_stages(tmp_path: Path) -> None:
    settings = parse(tmp_path, "")
    assert not settings.has_app
    assert [s.name for s in find_stages("report", settings)] == ["schema", "data", "report"]
    with pytest.raises(UsageError, match="nothing to build"):
        find_stages("build", settings)


def test_neither_app_nor_database(tmp_path: Path) -> None:
    path = tmp_path / "edgelift.toml"
    path.write_text('name = "x"\n')
    with pytest.raises(UsageError, match="wrong value"):
        parse_settings(path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[schema.cast]]\nas = 'text'", "neither a column nor a type"),
        ("[[schema.cast]]\ncolumn = 'a'\nas = 'text'", "does not name its table"),
        ("[[schema.cast]]\ntable = 't'\ncolumn = 'a'\nas = 'texts'", "Invalid enum value 'texts'"),
        ("[[schema.cast]]\ntable = 't'\ncolumn = 'a'\nas = 'text'\nscale = 2", "scale without"),
        ("[[schema.cast]]\ntable = 't'\ncolumn = 'a'\nas = 'scaled'\nscale = 19", "scale 19"),
        ("[[schema.rename]]\ntable = 't'\nto = 'sqlite_x'", "belongs to the engine"),
        ("[[schema.rename]]\ntable = ''\nto = 'x'", "empty"),
        ("[[schema.rewrite]]\ntable = 't'\nas = 'uuid5'", "needs a namespace"),
        ("[[schema.rewrite]]\ntable = 't'\nas = 'uuid5'\nnamespace = 'x'", "no UUID"),
        (
            f"[[schema.rewrite]]\ntable = 't'\nas = 'uuid7'\nnamespace = '{UUID}'\nbase_ms = -1",
            "base_ms",
        ),
        (
            f"[[schema.rewrite]]\ntable = 't'\nas = 'uuid7'\nnamespace = '{UUID}'\nalso = ['x']",
            "table.column",
        ),
        ("[[schema.rewrite]]\ntable = 't'\nas = 'unix'", "needs a column"),
        ("[[schema.cast]]\ntype = 'uuid'\nas = 'hex'\ndatabase = 'other'", "'other', unknown here"),
        ("[schema]\ntimestamps = 'iso'", "timestamps"),
        ("[schema]\nexcludes = ['a']", "excludes"),
        ("[data]\nthrottle = 'fast'", "write '50000 rows/s'"),
        ("[data]\nthrottle = '0 rows/s'", "zero"),
        ("[data]\nchunk_rows = 0", "chunk_rows is 0"),
        ("[data]\nsample = 2.0", "sample is 2.0"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(tmp_path, text)
    assert why in caught.value.why
    assert len(caught.value.lines()) == 3


@pytest.mark.parametrize(
    ("text", "limits"),
    [("", (0, 0)), ("500 rows/s", (500, 0)), ("1.5 MB/s", (0, 1_500_000)), ("20kB/s", (0, 20_000))],
)
def test_a_throttle_is_read(text: str, limits: tuple[float, float]) -> None:
    section = DataSection(throttle=text)
    assert not list(section.find_faults())
    assert section.read_throttle() == limits


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:p@ss/w#rd?@h:1/d", "postgresql://u:***@h:1/d"),
        ("mysql://u@h/d?ssl_key=x&a=b", "mysql://u@h/d?ssl_key=…&a=…"),
        ("postgresql:///d?password=secret", "postgresql:///d?password=…"),
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("a/b.db", "a/b.db"),
    ],
)
def test_secrets_in_urls_are_masked(url: str, shown: str) -> None:
    assert mask_url(url) == shown


@pytest.mark.parametrize(
    ("url", "scheme", "server"),
    [
        ("postgresql+psycopg2://h/d", "postgresql", True),
        ("POSTGRES://h/d", "postgres", True),
        ("mariadb+pymysql://h/d", "mariadb", True),
        ("sqlite:///a.db", "sqlite", False),
        ("instance/a.db", "", False),
    ],
)
def test_adapters_are_found_by_scheme(url: str, scheme: str, server: bool) -> None:
    assert read_scheme(url) == scheme
    assert is_server_url(url) is server


def test_an_unknown_scheme_names_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"oracle://u:\*\*\*@h/d"):
        open_origin("oracle://u:p@h/d")


@pytest.mark.parametrize(
    ("url", "written", "password"),
    [
        ("postgresql://u:p%40ss@h/d", f"postgresql://u:${{{PASSWORD}}}@h/d", "p@ss"),
        ("mysql://u:a@b@h/d", f"mysql://u:${{{PASSWORD}}}@h/d", "a@b"),
        ("mysql://u@h/d", "mysql://u@h/d", ""),
        ("mysql://u:${MY_WORD}@h/d", "mysql://u:${MY_WORD}@h/d", ""),
    ],
)
def test_a_password_becomes_a_variable(url: str, written: str, password: str) -> None:
    assert hide_password(url) == (written, password)


def test_accepted_rules_are_added_to_those_there(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv(PASSWORD, raising=False)
    for rule in ("A-RULE", "B-RULE"):
        write_database_project("mysql://u@h/d", tmp_path, accept=[rule])
    settings = parse_settings(tmp_path / "edgelift.toml")
    assert settings.accept.rules == ("A-RULE", "B-RULE")
