"""Shards in the Worker: a URI names one, each is a database of its own, the map leads to it."""

from __future__ import annotations

import pytest

from edgelift.worker.shard_map import ShardMap
from edgelift.worker.sqlite3 import registry


class Carrier:
    """Carries nothing: only addresses are looked at."""


@pytest.fixture(autouse=True)
def databases():
    registry.configure(
        [
            {"path": "/app/shop.db", "binding": "SHOP", "strategy": "object"},
            {"path": "/app/flat.db", "binding": "FLAT"},
        ],
        transport=Carrier(),
        carrier=Carrier(),
    )
    yield
    registry.configure([])


def find(path: str):
    found = registry.find_database(path, uri=True)
    assert found is not None
    return found[0]


def test_a_uri_names_a_shard() -> None:
    whole, one = find("file:/app/shop.db"), find("file:/app/shop.db?shard=main-1")
    assert (whole.shard, one.shard) == ("", "main-1")
    assert (whole.binding, one.binding) == ("SHOP", "SHOP")
    assert find("file:/app/shop.db?shard=main-1") is one
    assert find("file:/app/shop.db?shard=main-2") is not one
    assert registry.find_database("/app/shop.db?shard=main-1") is None


def test_d1_has_no_shards() -> None:
    assert find("file:/app/flat.db?shard=main-1") is find("file:/app/flat.db")


def make_map(by: str) -> ShardMap:
    shards = [
        {"name": "main-0", "tenants": ["a", "b"], "low": "0000", "high": "7fff"},
        {"name": "main-1", "tenants": ["7"], "low": "8000", "high": "ffff"},
    ]
    return ShardMap({"format": 1, "by": by, "shards": shards})


def test_tenants_are_looked_up() -> None:
    routing = make_map("tenant")
    assert [routing.find(key) for key in ("a", "b", 7)] == ["main-0", "main-0", "main-1"]
    with pytest.raises(KeyError):
        routing.find("c")


def test_keys_go_by_their_hash() -> None:
    routing = make_map("key")
    # SHA-256 of "1" begins with 6b86, of "2" with d473 (RFC 6234's function, by sha256sum).
    assert [routing.find(key) for key in (1, "2")] == ["main-0", "main-1"]


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 2"):
        ShardMap({"format": 2})
