"""Write data/training.csv: market data of 3,000 tokens. Run once; the file is in the repository."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from synthetic import draw_metrics

TARGET = Path(__file__).resolve().parent.parent / "data" / "training.csv"
ROWS = 3000


def main() -> None:
    rng = random.Random(20250917)
    rows = [draw_metrics(rng) for _ in range(ROWS)]
    with TARGET.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} rows in {TARGET.name}")


if __name__ == "__main__":
    main()
