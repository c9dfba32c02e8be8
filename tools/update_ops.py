"""Write docs/reference/row-ops.md from the table of the row engines' conversions.

Example: python tools/update_ops.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from edgelift.rows.ops import OPS, Op, Setting

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "row-ops.md"
HEAD = """# Conversions of rows

Made by `tools/update_ops.py` from the code. Each column of a table that `edgelift move` copies
travels by one of these conversions; `schema/mapping.md` says by which. What a conversion cannot
carry exactly it refuses, naming table, column and key: nothing is rounded or cut in silence.

Two engines run them with the same results and hashes: one in C, an SQLite extension that is
compiled when edgelift is installed or first used, and one in Python for machines without a C
compiler. `EDGELIFT_ROWS_ENGINE=python|native` chooses one.

A row's hash is XXH3-64 of its canonical bytes: for each value a tag (NULL 0, INTEGER 1, REAL 2,
TEXT 3, BLOB 4) and its 8 bytes, or its length and its bytes (of more than 4096 their hash, tags 5
and 6), all little-endian. Hashes of rows are summed modulo 2^64. One row may have 32 MiB.

| op | reads | result | refuses | settings |
|---|---|---|---|---|
"""


def describe_setting(setting: Setting) -> str:
    """Return a setting as `name=choice|choice`, its default and its meaning."""
    values = "\\|".join(setting.choices) or "..."
    default = "must be given" if setting.default is None else f"default {setting.default}"
    meaning = f": {setting.meaning}" if setting.meaning else ""
    return f"`{setting.name}={values}` ({default}){meaning}"


def describe_op(op: Op) -> str:
    """Return an op as a row of the table."""
    reads = "; ".join(f"{wire}: {types}" for wire, types in op.reads.items())
    settings = "<br>".join(describe_setting(s) for s in op.settings)
    stores = ", ".join(op.stores) or "nothing"
    cells = (f"`{op.name}`", reads, f"{stores}: {op.result}", op.refuses, settings)
    return "| " + " | ".join(cell.replace("|x|", "x's size") for cell in cells) + " |"


def build_page() -> str:
    """Return the page as the code has it."""
    return HEAD + "\n".join(describe_op(op) for op in OPS.values()) + "\n"


def main() -> int:
    """Write the page and return the exit code."""
    PAGE.write_text(build_page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
