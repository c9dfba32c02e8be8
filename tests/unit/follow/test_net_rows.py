"""Net effects against a table that takes each change as it comes, on changes drawn with a fixed seed."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from edgelift.errors import OriginError
from edgelift.sources.change_feed import Edit, Emptied, Shape
from edgelift.stages.follow.net import Net, Row, TableNet

COLUMNS = ("id", "part", "word", "data")
KEYED = Shape("t", COLUMNS, ("id", "part"))
LOOSE = Shape("t", COLUMNS, ())
Table = dict[tuple[Any, ...], dict[str, Any]]


def draw_values(draw: random.Random) -> dict[str, Any]:
    return {
        "id": draw.randrange(4),
        "part": draw.choice(["a", "b"]),
        "word": draw.choice([None, "", "w", "é"]),
        "data": draw.choice([None, b"", b"xyz", 1.5]),
    }


def draw_change(draw: random.Random, table: Table) -> Edit | Emptied:
    """Return a change that the table's present state allows."""
    kind = draw.choice(["insert", "update", "update", "delete", "empty"])
    values = draw_values(draw)
    key = (values["id"], values["part"])
    if kind == "empty" and draw.random() < 0.2:
        return Emptied("t")
    if kind == "insert" or not table:
        return Edit("t", (table and key in table and key) or None, values)
    old = draw.choice(list(table))
    if kind == "delete":
        return Edit("t", old, None)
    if key in table and key != old:
        values["id"], values["part"] = old
    if draw.random() < 0.5:
        return Edit("t", old, values)
    kept = draw.sample(COLUMNS, draw.randrange(5))
    if (values["id"], values["part"]) != old:
        kept = [*dict.fromkeys([*kept, "id", "part"])]  # what changed is always sent
    return Edit("t", old, {name: values[name] for name in kept}, full=False)


def follow(table: Table, change: Edit | Emptied) -> None:
    """Apply one change at once."""
    if isinstance(change, Emptied):
        table.clear()
        return
    before = table.pop(change.old, {}) if change.old is not None else {}
    if change.new is not None:
        row = dict(change.new) if change.full else {**before, **change.new}
        table[row["id"], row["part"]] = row


def apply(table: Table, net: TableNet) -> None:
    """Apply a net effect as the writers do: all touched rows go, then those come that must be."""
    if net.emptied:
        table.clear()
    bases = dict(table)
    for key in net.rows:
        table.pop(key, None)
    for key, row in net.rows.items():
        if row is not None:
            base = bases[row.base] if row.base is not None else {}
            table[key] = {**base, **row.values}


@pytest.mark.parametrize("seed", range(60))
def test_rows_with_a_key_end_as_one_by_one(seed: int) -> None:
    draw = random.Random(seed)
    direct: Table = {}
    for _ in range(draw.randrange(6)):
        values = draw_values(draw)
        direct[values["id"], values["part"]] = values
    for _ in range(8):
        followed = {key: dict(row) for key, row in direct.items()}
        net = Net([KEYED])
        count = draw.randrange(1, 12)
        for _ in range(count):
            change = draw_change(draw, direct)
            net.add(change)
            follow(direct, change)
        assert net.size == count
        apply(followed, net.tables["t"])
        assert followed == direct
        again = {key: dict(row) for key, row in followed.items()}
        if all(row is None or row.base is None for row in net.tables["t"].rows.values()):
            apply(again, net.tables["t"])  # written twice, as after a crash
            assert again == direct


@pytest.mark.parametrize("seed", range(30))
def test_rows_without_a_key_are_counted(seed: int) -> None:
    draw = random.Random(seed)
    rows: Counter[tuple[Any, ...]] = Counter()
    net = Net([LOOSE])
    for _ in range(60):
        new = draw_values(draw)
        whole = tuple(new[name] for name in COLUMNS)
        present = list(rows.elements())
        kind = draw.choice(["insert", "update", "partly", "delete"])
        if kind == "insert" or not present:
            net.add(Edit("t", None, new))
            rows[whole] += 1
            continue
        old = draw.choice(present)
        rows[old] -= 1
        if kind == "delete":
            net.add(Edit("t", old, None))
        elif kind == "update":
            net.add(Edit("t", old, new))
            rows[whole] += 1
        else:
            name = draw.choice(COLUMNS)
            net.add(Edit("t", old, {name: new[name]}, full=False))
            rows[
                tuple(new[name] if c == name else v for c, v in zip(COLUMNS, old, strict=True))
            ] += 1
    assert +net.tables["t"].loose == +rows
    assert min(net.tables["t"].loose.values()) >= 0


def test_a_row_that_came_and_went_is_gone() -> None:
    net = Net([KEYED])
    net.add(Edit("t", None, {"id": 1, "part": "a", "word": "w", "data": None}))
    net.add(Edit("t", (1, "a"), None))
    assert net.tables["t"].rows == {(1, "a"): None}


def test_a_key_that_was_not_sent_is_the_old_one() -> None:
    net = Net([KEYED])
    net.add(Edit("t", (1, "a"), {"part": "b", "word": "w"}, full=False))
    assert net.tables["t"].rows == {
        (1, "a"): None,
        (1, "b"): Row({"part": "b", "word": "w"}, (1, "a")),
    }
    net.add(Edit("t", (1, "b"), {"data": b"x"}, full=False))
    assert net.tables["t"].rows[1, "b"] == Row({"part": "b", "word": "w", "data": b"x"}, (1, "a"))


def test_an_emptied_table_forgets_what_came_before() -> None:
    net = Net([KEYED])
    net.add(Edit("t", (1, "a"), None))
    net.add(Emptied("t"))
    net.add(Edit("t", None, {"id": 2, "part": "b", "word": "", "data": None}))
    found = net.tables["t"]
    assert (found.emptied, list(found.rows), net.size) == (True, [(2, "b")], 3)
    net.clear()
    assert (net.tables, net.size, net.bytes) == ({}, 0, 0)


@pytest.mark.parametrize(
    ("edit", "size"),
    [
        (Edit("t", None, {"id": 1, "part": "abc", "word": None, "data": b"12345"}), 8),
        (Edit("t", (1, "abc"), None), 3),
        (Edit("t", (1, "ab"), {"word": "four"}, full=False), 6),
    ],
)
def test_values_are_measured(edit: Edit, size: int) -> None:
    net = Net([KEYED])
    net.add(edit)
    assert net.bytes == size


def test_a_table_that_is_not_followed() -> None:
    with pytest.raises(OriginError) as caught:
        Net([KEYED]).add(Edit("other", None, {}))
    assert len(str(caught.value).splitlines()) == 3
    assert "other" in caught.value.what
