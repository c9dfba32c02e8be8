"""Which shard holds a key: reads the routing map that `data` made; for an app's own code.

The name that comes out names the object of a shard, which
`sqlite3.connect("file:/app/x.db?shard=" + name, uri=True)` opens.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

FORMAT = 1
SLOT_DIGITS = 4


class ShardMap:
    """A routing map; `shards` are all names."""

    def __init__(self, document: dict[str, Any]) -> None:
        if document.get("format") != FORMAT:
            raise ValueError(f"a shard map of the format {document.get('format')!r}")
        self.by: str = document["by"]
        self.shards: list[str] = [shard["name"] for shard in document["shards"]]
        self._tenants = {t: s["name"] for s in document["shards"] for t in s["tenants"]}
        self._ranges = [(s["low"], s["high"], s["name"]) for s in document["shards"]]

    def find(self, key: object) -> str:
        """Return the shard of a key; raises KeyError for a tenant that the map does not know."""
        text = str(key)
        if self.by == "tenant":
            return str(self._tenants[text])
        slot = hashlib.sha256(text.encode()).hexdigest()[:SLOT_DIGITS]
        return next(name for low, high, name in self._ranges if low <= slot <= high)


def read_shard_map(path: str | Path) -> ShardMap:
    """Read the JSON file of a map; raises OSError, and ValueError for what is none."""
    return ShardMap(json.loads(Path(path).read_text(encoding="utf-8")))
