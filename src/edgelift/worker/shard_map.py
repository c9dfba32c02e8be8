"""Which shard holds a key: reads the routing map that `data` made; for the adapter and for apps.

The name that comes out names the object of a shard, which
`sqlite3.connect("file:/app/x.db?shard=" + name, uri=True)` opens.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

FORMAT = 1
SLOT_DIGITS = 4
_INTEGER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_UUID = re.compile("-?".join(f"([0-9a-fA-F]{{{size}}})" for size in (8, 4, 4, 4, 12)))


class ShardMap:
    """A routing map; `shards` are all names, `split` the tables of which each has a part.

    `counters` has the column of each table whose numbers are given out for all shards together.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        if document.get("format") != FORMAT:
            raise ValueError(f"a shard map of the format {document.get('format')!r}")
        self.by: str = document["by"]
        self.key: str = document.get("key", "")
        self.form: str = document.get("form", "")
        self.shards: list[str] = [shard["name"] for shard in document["shards"]]
        tables = document.get("tables", ())
        self.split = frozenset(t["table"] for t in tables if t["way"] != "replicated")
        self.replicated = frozenset(t["table"] for t in tables if t["way"] == "replicated")
        self.views = frozenset(document.get("views", ()))
        # Where keys have one spelling, the column that holds the key itself, by table.
        ways = {t["table"]: t.get("detail", "") for t in tables if t["way"] == "column"}
        self.columns: dict[str, str] = ways if self.form else {}
        self.counters: dict[str, str] = dict(document.get("counters", {}))
        self._tenants = {t: s["name"] for s in document["shards"] for t in s["tenants"]}
        self._ranges = [(s["low"], s["high"], s["name"]) for s in document["shards"]]

    def find(self, key: object, *, spread: bool = False) -> str:
        """Return the shard of a key; raises KeyError for one that the map cannot place.

        That is a tenant it does not know, unless `spread` has its hash decide, and a text that is
        none of the keys' type.
        """
        text = read_key(str(key), self.form)
        if self.by == "tenant" and (text in self._tenants or not spread):
            return self._tenants[text]
        slot = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:SLOT_DIGITS]
        if self.by == "tenant":
            return self.shards[int(slot, 16) * len(self.shards) >> 4 * SLOT_DIGITS]
        return next(name for low, high, name in self._ranges if low <= slot <= high)


def read_key(text: str, form: str) -> str:
    """Return a key as the map writes it; raises KeyError for what is no key of that form.

    An `integer` has no leading zeros, a `uuid` 36 small characters; any other form is taken as it
    is.
    """
    if form == "integer":
        if not _INTEGER.fullmatch(text):
            raise KeyError(text)
        return str(int(text))
    if form == "uuid":
        found = _UUID.fullmatch(text)
        if found is None:
            raise KeyError(text)
        return "-".join(found.groups()).lower()
    return text


def read_shard_map(path: str | Path) -> ShardMap:
    """Read the JSON file of a map; raises OSError, and ValueError for what is none."""
    return ShardMap(json.loads(Path(path).read_text(encoding="utf-8")))
