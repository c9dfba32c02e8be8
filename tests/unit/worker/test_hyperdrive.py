"""Which binding a connection means, and where it leads."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from edgelift.worker import hyperdrive
from edgelift.worker.host import MODULE
from edgelift.worker.patches.postgres_connections import aim

SHOP = {
    "name": "shop", "binding": "SHOP", "strategy": "hyperdrive", "engine": "postgresql",
    "database": "shop", "servers": [["shop.hyperdrive.local", 5432], ["db.example.com", 6432]],
}  # fmt: skip
STOCK = {**SHOP, "name": "stock", "binding": "STOCK", "database": "stock",
         "servers": [["stock.hyperdrive.local", 5432], ["db.example.com", 6432]]}  # fmt: skip
BOOK = {**SHOP, "name": "book", "binding": "BOOK", "engine": "mysql", "database": "book",
        "servers": [["127.0.0.1", 3306]]}  # fmt: skip
LEADS = {"host": "abc.hyperdrive.local", "port": 5432, "user": "u", "password": "p",
         "database": "d"}  # fmt: skip


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    hyperdrive.install([SHOP, STOCK, BOOK, {"name": "x", "strategy": "d1"}])
    yield
    hyperdrive.install([])


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    told: dict[str, object] = dict(LEADS)
    host = SimpleNamespace(hyperdrive=lambda _binding: json.dumps(told))
    monkeypatch.setitem(sys.modules, MODULE, host)
    return told


@pytest.mark.parametrize(
    ("engine", "host", "port", "name", "found"),
    [
        ("postgresql", "shop.hyperdrive.local", None, None, "shop"),
        ("postgresql", "stock.hyperdrive.local", 5432, "anything", "stock"),
        ("postgresql", "db.example.com", 6432, "stock", "stock"),
        ("postgresql", "DB.example.com", "6432", "shop", "shop"),
        ("postgresql", "db.example.com", 5432, "shop", None),
        ("postgresql", "elsewhere.example.com", 6432, "shop", None),
        ("mysql", "db.example.com", 6432, "shop", None),
        ("mysql", None, 0, None, "book"),
        ("mysql", "localhost", 3306, "book", "book"),
        ("mysql", "/run/mysqld/mysqld.sock", None, None, "book"),
    ],
)
def test_a_server_is_found_by_host_port_and_name(
    engine: str, host: str | None, port: object, name: str | None, found: str | None
) -> None:
    database = hyperdrive.find_database(engine, host, port, name)
    assert (database["name"] if database else None) == found


def test_libpq_options_lead_through_the_binding(answer: dict[str, object]) -> None:
    options = {"host": "shop.hyperdrive.local", "port": "5432", "dbname": "shop", "user": "a",
               "sslmode": "require", "application_name": "app"}  # fmt: skip
    assert aim(options) == {
        "host": "abc.hyperdrive.local", "port": "5432", "user": "u", "password": "p",
        "dbname": "d", "sslmode": "disable", "application_name": "app",
    }  # fmt: skip
    assert aim({**options, "host": "other.example.com"})["host"] == "other.example.com"


def test_a_server_that_wants_tls_is_reached_with_it(answer: dict[str, object]) -> None:
    answer |= {"host": "db.example.com", "port": 6432, "tls": True}
    options = {"host": "shop.hyperdrive.local", "port": "5432", "sslmode": "verify-full"}
    assert aim(options)["sslmode"] == "verify-full"
    assert aim({**options, "sslmode": "require"})["host"] == "db.example.com"


def test_a_binding_that_leads_nowhere_is_an_error_of_the_network(
    answer: dict[str, object],
) -> None:
    answer["error"] = "the database is not reachable while the snapshot is made"
    with pytest.raises(hyperdrive.UnreachableError, match="not reachable") as raised:
        aim({"host": "shop.hyperdrive.local", "port": "5432"})
    assert isinstance(raised.value, OSError)
    assert "password" not in str(raised.value)
