"""The steps of record.py that need a server's own driver: makes the tables, asks the expressions."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import sqlalchemy as sa

from tests.cases.moved_sqlalchemy.models import fill, make_models
from tests.cases.moved_sqlalchemy.replay import HERE, run_all


def write_answers(origin: str, url: str, target: Path) -> None:
    """Ask a server and write its answers; comments and refusals of the file stay."""
    strict = {"init_command": "SET sql_mode = 'STRICT_TRANS_TABLES'"} if origin == "mysql" else {}
    with sa.create_engine(url, connect_args=strict).connect() as connection:
        found = iter(run_all(connection, origin))
    written = []
    for line in (HERE / f"{origin}.txt").read_text().splitlines():
        if line.startswith("> "):
            written += [line, next(found).answer]
        elif not line.startswith(("= ", "! ")):  # comments, refusals, losses
            written.append(line)
    target.write_text("\n".join(written) + "\n")


def main() -> int:
    """Do a step: fill or answers, of an engine at a URL, into a file."""
    warnings.simplefilter("ignore")
    step, origin, url, target = sys.argv[1:]
    if step == "fill":
        fill(sa.create_engine(url), make_models(origin), origin)
    else:
        write_answers(origin, url, Path(target))
    return 0


if __name__ == "__main__":
    sys.exit(main())
