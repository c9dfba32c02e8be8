"""Writes the fuzzer's first inputs from the written-down conversions: run it after adding an op.

python -m tests.fuzz.make_corpus
"""

from __future__ import annotations

import hashlib
from itertools import groupby
from pathlib import Path

from edgelift.errors import UsageError
from edgelift.rows.native_engine import encode_plan
from edgelift.rows.plan import build_plan
from tests.cases.rows.test_conversions import CASES, read_raw
from tests.rows_streams import WRITERS, build_spec, write_pg_messages

CORPUS = Path(__file__).with_name("corpus")


def write_inputs() -> dict[str, bytes]:
    """Return inputs by name: for each wire and op its cases as rows, pieces of seven bytes."""
    made = {}
    for (wire, op), group in groupby(sorted(CASES), key=lambda case: case[:2]):
        cases = list(group)
        for number, case in enumerate(cases[:3]):
            try:
                plan = build_plan(build_spec(wire, (op, case[2], case[3]), (op, case[2], case[3])))
            except UsageError:
                continue
            raws = [read_raw(c[4]) for c in cases if c[2:4] == case[2:4]]
            rows = [(raw, None if place % 3 == 2 else raw) for place, raw in enumerate(raws)]
            write = write_pg_messages if wire == "pgcopy" and number else WRITERS[wire]
            data = bytes([6, number * 9]) + bytes.fromhex(encode_plan(plan)) + write(rows)
            made[f"{wire}-{op}-{hashlib.sha256(data).hexdigest()[:6]}"] = data
    return made


def main() -> None:
    CORPUS.mkdir(exist_ok=True)
    for name, data in write_inputs().items():
        (CORPUS / name).write_bytes(data)


if __name__ == "__main__":
    main()
