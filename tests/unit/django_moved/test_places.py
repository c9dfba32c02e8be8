"""An alias of settings.DATABASES leads to the database that its NAME means; modules to our backends."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator

import pytest

from edgelift.worker.django_moved import finder, places
from edgelift.worker.sqlite3.django_dates import list_local_offsets, list_offsets

DATABASES = [
    {"origin": "postgresql", "path": "/app/edgelift-data/main.sqlite", "server_name": "shop"},
    {
        "origin": "postgresql",
        "path": "/app/edgelift-data/log.sqlite",
        "server_name": "log",
        "uuid": "hex",
    },
    {"origin": "mysql", "path": "/app/edgelift-data/old.sqlite"},
]


@pytest.fixture
def known() -> Iterator[None]:
    places.remember(DATABASES)
    yield
    places.remember([])


@pytest.mark.parametrize(
    ("origin", "name", "file"),
    [
        ("postgresql", "shop", "main"), ("postgresql", "log", "log"),
        ("postgresql", "/app/edgelift-data/log.sqlite", "log"),
        ("postgresql", "app/edgelift-data/log.sqlite", "log"), ("postgresql", "", "main"),
        ("postgresql", "another", "main"), ("mysql", "shop", "old"),
    ],
)  # fmt: skip
def test_names_lead_to_files(known: None, origin: str, name: str, file: str) -> None:
    place = places.find_place(origin, name)
    assert place is not None
    assert place.path == f"/app/edgelift-data/{file}.sqlite"
    assert place.uuid == ("hex" if file == "log" else "text")


def test_an_engine_of_which_nothing_was_moved_has_no_place(known: None) -> None:
    places.remember(DATABASES[:1])
    assert places.find_place("mysql", "shop") is None


@pytest.fixture
def found() -> Iterator[finder.Finder]:
    before = list(sys.meta_path)
    finder.install({"postgresql"})
    yield sys.meta_path[0]
    sys.meta_path[:] = before


def test_the_backends_of_moved_engines_are_ours(found: finder.Finder) -> None:
    spec = found.find_spec("django.db.backends.postgresql")
    assert spec is not None
    assert "django_moved/postgresql" in str(spec.origin)
    for name in ("django.db.backends.mysql", "django.db.backends.sqlite3", "django.db", "json"):
        assert found.find_spec(name) is None


def test_a_second_call_replaces_the_first(found: finder.Finder) -> None:
    finder.install({"mysql"})
    own = [one for one in sys.meta_path if isinstance(one, finder.Finder)]
    assert [one.engines for one in own] == [{"mysql"}]
    assert own[0].find_spec("django.contrib.postgres.signals") is None


def test_what_django_takes_of_its_drivers_needs_none() -> None:
    module = importlib.import_module("edgelift.worker.django_moved.postgresql.psycopg_any")
    for name in module.__all__:
        assert getattr(module, name) is not None
    signals = importlib.import_module("edgelift.worker.django_moved.postgres_signals")
    assert signals.get_hstore_oids("default") == ((), ())
    assert signals.get_citext_oids("default") == ((), ())
    signals.register_type_handlers(None)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Chicago", "Australia/Lord_Howe"])
def test_local_times_change_when_the_clock_does(zone: str) -> None:
    """Of an hour that comes twice the first is meant; one that never comes is before the change."""
    moved = list(zip(list_offsets(zone)[1:], list_local_offsets(zone)[1:], strict=True))
    assert len(moved) > 50
    for (utc, offset), (local, same) in moved:
        assert offset == same
        assert local != utc
