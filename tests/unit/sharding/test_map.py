"""Routing maps: keys of every form, tenants that are not listed, Python and JavaScript alike."""

from __future__ import annotations

import json
import random
import subprocess
import uuid
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from edgelift.toolchain import ensure_toolchain
from edgelift.worker.shard_map import ShardMap, read_key
from tests.unit.sharding.files import DOCUMENT


def make_document(by: str, form: str, count: int, keys: list[str]) -> dict[str, Any]:
    """Return a map of `count` shards: tenants dealt out in turn, or slots cut evenly."""
    step = 65536 // count
    shards = []
    for number in range(count):
        last = 65535 if number == count - 1 else (number + 1) * step - 1
        ends = (f"{number * step:04x}", f"{last:04x}") if by == "key" else ("", "")
        tenants = keys[number::count] if by == "tenant" else []
        shards.append({"name": f"s{number}", "tenants": tenants, "low": ends[0], "high": ends[1]})
    return {"format": 1, "by": by, "form": form, "shards": shards}


@pytest.mark.parametrize(
    ("form", "text", "key"),
    [
        ("integer", "7", "7"),
        ("integer", "007", "7"),
        ("integer", "-0", "0"),
        ("integer", "-12", "-12"),
        ("integer", "+7", None),
        ("integer", "7.0", None),
        ("integer", "0x7", None),
        ("integer", " 7", None),
        ("integer", "", None),
        ("integer", "\u0667", None),
        ("integer", "7" * 30, None),
        ("uuid", "3F0B5F2E-0000-4000-8000-000000000001", "3f0b5f2e-0000-4000-8000-000000000001"),
        ("uuid", "3f0b5f2e000040008000000000000001", "3f0b5f2e-0000-4000-8000-000000000001"),
        ("uuid", "{3f0b5f2e-0000-4000-8000-000000000001}", None),
        ("uuid", "3f0b5f2e", None),
        ("text", " a ", " a "),
        ("", "007", "007"),
    ],
)
def test_keys_are_written_as_the_map_writes_them(form: str, text: str, key: str | None) -> None:
    if key is None:
        with pytest.raises(KeyError):
            read_key(text, form)
    else:
        assert read_key(text, form) == key


def test_one_number_has_one_shard_however_it_is_written() -> None:
    routing = ShardMap(make_document("key", "integer", 7, []))
    for number in range(200):
        assert routing.find(f"00{number}") == routing.find(number)
    plain = ShardMap(make_document("key", "text", 7, []))
    assert any(plain.find(f"00{number}") != plain.find(number) for number in range(200))


def test_a_tenant_that_is_not_listed_is_refused_or_spread() -> None:
    routing = ShardMap(make_document("tenant", "text", 4, ["a", "b"]))
    with pytest.raises(KeyError):
        routing.find("new")
    assert routing.find("a", spread=True) == routing.find("a") == "s0"
    found = {routing.find(f"new-{number}", spread=True) for number in range(200)}
    assert found == {"s0", "s1", "s2", "s3"}


def test_a_map_tells_what_is_split_and_what_is_counted() -> None:
    routing = ShardMap(DOCUMENT)
    assert routing.split == {"account", "entry"}
    assert routing.replicated == {"country"}
    assert (routing.views, routing.counters) == ({"totals"}, {"account": "id", "entry": "id"})


SCRIPT = """
import { findShard } from %s;
import fs from 'node:fs';
const asked = JSON.parse(fs.readFileSync(%s, 'utf8'));
const found = [];
for (const [map, key, spread] of asked) {
  try { found.push(await findShard(map, key, { spread })); } catch { found.push(null); }
}
console.log(JSON.stringify(found));
"""


def make_keys(seed: int) -> list[str]:
    """Return keys of all kinds, among them ones that no map can place."""
    chance = random.Random(seed)
    letters = "abcXYZ 0129-_/%'\"åß中🙂\x7f\t"
    texts = ["".join(chance.choices(letters, k=chance.randint(0, 12))) for _ in range(150)]
    numbers = [str(chance.randint(-(2**63), 2**63)) for _ in range(60)]
    small = [f"{'0' * chance.randint(0, 3)}{chance.randint(0, 999)}" for _ in range(60)]
    uuids = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(60)]
    odd = ["", "-", "-0", "+1", "1e3", "9" * 21, "00000000000000000007", "constructor", "__proto__"]
    return [*texts, *numbers, *small, *uuids, *(u.upper() for u in uuids[:9]), *odd]


def test_javascript_finds_what_python_finds(tmp_path: Path) -> None:
    """Random keys over maps of every kind: the same shard, or refused by both."""
    asked, expected = [], []
    for seed, (by, form) in enumerate(
        (b, f) for b in ("tenant", "key") for f in ("", "text", "integer", "uuid")
    ):
        keys = make_keys(seed)
        listed = []
        for key in keys[::2]:
            try:
                listed.append(read_key(key, form))
            except KeyError:
                continue
        document = make_document(by, form, 2 + seed, list(dict.fromkeys(listed)))
        routing = ShardMap(document)
        for key in keys:
            for spread in (False, True):
                asked.append([document, key, spread])
                try:
                    expected.append(routing.find(key, spread=spread))
                except KeyError:
                    expected.append(None)
    assert None in expected
    place = tmp_path / "asked.json"
    place.write_text(json.dumps(asked))
    module = Path(str(resources.files("edgelift.targets.workerd"))) / "js" / "shard_map.mjs"
    script = SCRIPT % (json.dumps(module.as_uri()), json.dumps(str(place)))
    node = ensure_toolchain(("runtime",), lambda _text: None).node
    command = [node, "--input-type=module", "-e", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == expected
