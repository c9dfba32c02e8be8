"""Every type and kind of object of both servers moved by the command, as its own Tips say.

What was refused is followed literally (tests/contract/mover/tips.py) until it moves; then every
value is compared with what the server's own driver reads (plain_values.py).
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.contract.mover.tips import Mover
from tests.scenarios.conftest import NIGHTLY
from tests.scenarios.plain_values import Found, is_same, read_mariadb, read_postgres

pytestmark = [pytest.mark.scenario, pytest.mark.workerd]

CONTRACT = Path(__file__).resolve().parents[1] / "contract"
# Which form is taken where a Tip names several; the second way runs nightly.
PREFERS = [("text", "null"), ("null", "text")] if NIGHTLY else [("text", "null")]
# What is said before the first byte moves, with the counts of the data.
TOLD = {
    "postgres": (
        "column n holds 1 NaN",
        "column single holds 1 NaN",
        "column d holds 2 infinite values",
        "column tstz holds 1 infinite values",
        "column tstz holds 3 dates outside the years 1 to 9999",
        "column t holds 2 times that are none of a day",
        "column iv holds 3 intervals with months or years",
        "column far holds 2 intervals that, counted from 1970, lead outside",
        "column price holds decimals of 19 significant digits",
    ),
    "mysql": (
        "column big holds 18446744073709551615; SQLite's integers end at 9223372036854775807",
        "column bits holds 18446744073709551615",
        "column shape holds shapes of other SRIDs than 4326, such as 0",
        "column it's holds 1 zero dates",
        "column it's holds 1 dates outside the years 1 to 9999, or days that no calendar has",
        "column cents holds decimals of 19 significant digits",
    ),
}


def read_origin(kind: str, mover: Mover, request: Any) -> Found:
    casts = {(cast["table"].rpartition(".")[2], cast["column"]): cast["as"] for cast in mover.casts}
    if kind == "postgres":
        return read_postgres(mover.url, casts)
    server = request.getfixturevalue("mariadb_server")
    return read_mariadb(server.port, mover.url.rpartition("/")[2], casts)


def start(kind: str, request: Any) -> str:
    if kind == "postgres":
        script = (CONTRACT / "postgres" / "every_object.sql").read_text()
        return request.getfixturevalue("make_database")(script)
    server = request.getfixturevalue("mariadb_server")
    name = server.create_database("every")
    for script in ("every_object.sql", "extremes.sql"):
        text = (CONTRACT / "mysql" / script).read_text().replace("{schema}", name)
        server.run_script(text, name)
    return server.make_url(name)


def find_target(mover: Mover, origin: str) -> dict[str, Any] | None:
    """Return what the mapping says about a table of the origin."""
    tables = [o for o in mover.mapping["objects"] if o["kind"] == "table"]
    return next((o for o in tables if o["origin"] == origin), None)


def compare(mover: Mover, found: Found, database: str) -> tuple[int, list[str]]:
    """Return how many values were compared, and those that differ."""
    count, wrong = 0, []
    with contextlib.closing(sqlite3.connect(mover.target)) as db:
        for (schema, table), (columns, expected) in found.items():
            target = find_target(mover, f"{schema or database}.{table}")
            assert target is not None, (schema, table)
            if target["becomes"] == "excluded":
                continue
            names = {c["origin"].rpartition(f"{table}.")[2]: c["name"] for c in target["columns"]}
            kept = [c["name"] for c in target["columns"] if c["outcome"] != "left out"]
            places = [i for i, name in enumerate(columns) if names[name] in kept]
            listed = ", ".join('"' + names[columns[i]].replace('"', '""') + '"' for i in places)
            name = target["name"].replace('"', '""')
            rows = db.execute(f'SELECT {listed} FROM "{name}"').fetchall()
            assert len(rows) == len(expected), (schema, table)
            for row in expected:
                wanted = [row[i] for i in places]
                match = next((r for r in rows if all(map(is_same, wanted, r))), None)
                count += len(wanted)
                if match is None:
                    wrong.append(f"{schema}.{table}: {explain(columns, places, wanted, rows)}")
                else:
                    rows.remove(match)
    return count, wrong


def explain(columns: list[str], places: list[int], wanted: list[Any], rows: list[Any]) -> str:
    """Say which cells keep the nearest row from being the one wanted."""

    def differing(row: Any) -> list[str]:
        cells = zip(places, wanted, row, strict=True)
        return [
            f"{columns[i]} is {r!r:.90}, wanted {w!r:.90}" for i, w, r in cells if not is_same(w, r)
        ]

    return str(min((differing(row) for row in rows), key=len, default="no row is left"))


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
@pytest.mark.parametrize("prefers", PREFERS, ids=lambda p: f"as-{p[0]}")
def test_every_type_moves_as_the_tips_say(
    kind: str, prefers: tuple[str, ...], request: Any, tmp_path: Path
) -> None:
    mover = Mover(start(kind, request), tmp_path / "moved", prefers)
    outcome = mover.run_until_moved("--paranoid")
    missing = [w for w in TOLD[kind] if not any(w in said for said in mover.said)]
    assert missing == []
    assert {check["status"] for check in outcome["checks"]} == {"PASS"}
    again = next(c for c in outcome["checks"] if c["id"] == "data.again:main")["counts"]
    assert again["chunks_again"] == again["chunks"]
    database = mover.url.rpartition("/")[2]
    found = read_origin(kind, mover, request)
    count, wrong = compare(mover, found, database)
    assert wrong == []
    assert count > 250

    with contextlib.closing(sqlite3.connect(mover.target)) as db, db:  # the fault twin
        db.execute("UPDATE moments SET d = NULL WHERE d = (SELECT max(d) FROM moments)")
    assert len(compare(mover, found, database)[1]) == 1
