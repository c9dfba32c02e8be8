"""Runs expressions of SQLAlchemy and compares what they give with what the real server gave.

A case file has lines `> expression`, steps between `;;`, each followed by what the real server
gave: `= rows`, `! class SQLSTATE or number` for each step. A line `~ reason` after it tells that the moved
database refuses the expression, for that reason, before the cut; a line `^ answer` that it gives
another one, which is a loss that the user accepts (rule DB-MOVED: texts are those of bytes) or that
docs/reference names. All cases share one connection; each begins a transaction and rolls it back,
unless it commits.

  python -m tests.cases.moved_sqlalchemy.replay postgresql    print what differs
"""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import json
import sys
import tempfile
import uuid
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

with contextlib.suppress(ImportError):  # an SQLite as new as the Worker's
    sys.modules["sqlite3"] = __import__("pysqlite3")

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql as pg

from tests.cases.moved_sqlalchemy.models import NOON, ZONED, Status, make_models

HERE = Path(__file__).parent
REFUSED = "the moved database cannot run this statement: "


class Case(NamedTuple):
    """An expression, what the server gave, and what the moved database does instead, if it does."""

    text: str
    answer: str = ""
    refusal: str = ""
    other: str = ""


def read_cases(origin: str, folder: Path = HERE) -> list[Case]:
    """Return the cases of an engine's file."""
    found: list[Case] = []
    for line in (folder / f"{origin}.txt").read_text().splitlines():
        if line.startswith("> "):
            found.append(Case(line[2:]))
        elif line.startswith(("= ", "! ")):
            found[-1] = found[-1]._replace(answer=line)
        elif line.startswith("~ "):
            found[-1] = found[-1]._replace(refusal=line[2:])
        elif line.startswith("^ "):
            found[-1] = found[-1]._replace(other=line[2:])
    return found


def make_names(origin: str) -> dict[str, Any]:
    """Return what expressions may name."""
    models = make_models(origin)
    names: dict[str, Any] = {name: getattr(sa, name) for name in sa.__all__} if hasattr(
        sa, "__all__"
    ) else {name: value for name, value in vars(sa).items() if not name.startswith("_")}
    names |= {"sa": sa, "orm": orm, "pg": pg, "mysql": mysql, "dt": dt, "uuid": uuid}
    names |= {"Decimal": Decimal, "NOON": NOON, "ZONED": ZONED, "Status": Status}
    insert = pg.insert if origin == "postgresql" else mysql.insert
    names |= {"insert": insert, **models, "I": models["Item"], "S": models["Sale"]}
    return names


def show(value: Any) -> str:
    """Return a value with its type; mappings in the order of their keys."""
    if isinstance(value, memoryview | bytearray):
        return repr(bytes(value))
    if isinstance(value, enum.Enum):
        return str(value)
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return f"zoned {value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(' ')}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {show(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(show, value)) + "]"
    if isinstance(value, sa.orm.DeclarativeBase):
        return f"{type(value).__name__} {value.id}"
    return repr(value)


def show_error(error: Exception) -> str:
    """Return an error's classes, and the server's code of it."""
    inner = getattr(error, "orig", None)
    if inner is None:
        return f"! {type(error).__name__}"
    code = getattr(inner, "pgcode", None) or (inner.args[0] if inner.args else "")
    return f"! {type(error).__name__} {type(inner).__name__} {code}"


def run_step(session: Any, step: Any) -> str:
    """Run a part of a case and return what it gave."""
    if callable(step):
        made = step(session)
        return f"= {show(made)}" if isinstance(made, int | str | list) else "= done"
    result = session.execute(step)
    if not getattr(result, "returns_rows", True):
        return f"= {getattr(result, 'rowcount', 0)} rows"
    kept = [f"({', '.join(map(show, row))})" for row in result]
    return f"= {', '.join(result.keys())}: {' '.join(kept)}"


def run_case(connection: Any, text: str, names: dict[str, Any]) -> tuple[str, str]:
    """Run a case; return what it gave, and the reason of a refusal."""
    answers = []
    with orm.Session(connection, join_transaction_mode="control_fully") as session:
        for part in text.split(";;"):
            try:
                answers.append(run_step(session, eval(part.strip(), dict(names))))  # noqa: S307
            except (sa.exc.SQLAlchemyError, ValueError, TypeError) as error:
                words = str(getattr(error, "orig", ""))
                if REFUSED in words:
                    return "", words.partition(REFUSED)[2].partition("\n")[0].removesuffix("')").removesuffix('")')
                answers.append(show_error(error))
            except Exception as error:
                error.add_note(f"in the case {text}")
                raise
        session.rollback()
    return answers[0] + "".join(f" ;; {answer}" for answer in answers[1:]), ""


def run_all(connection: Any, origin: str, folder: Path = HERE) -> list[Case]:
    """Return the cases with what a connection gave."""
    names = make_names(origin)
    return [
        Case(case.text, *run_case(connection, case.text, names))
        for case in read_cases(origin, folder)
    ]


def find_differences(connection: Any, origin: str, folder: Path = HERE) -> list[tuple[Case, Case]]:
    """Return the cases that neither give the server's answer nor are refused as they are told to."""
    expected = read_cases(origin, folder)
    return [
        (wanted, found)
        for wanted, found in zip(expected, run_all(connection, origin, folder), strict=True)
        if (found.refusal != wanted.refusal if wanted.refusal or found.refusal
            else found.answer != (wanted.other or wanted.answer))
    ]  # fmt: skip


def make_moved(origin: str, folder: Path) -> Any:
    """Make the moved database anew and return an engine of SQLAlchemy that leads to it."""
    from tests.cases.moved_drivers import replay as drivers

    drivers.make_moved(origin, folder, HERE)
    from edgelift.worker import sqlalchemy_moved
    from edgelift.worker.moved import finding
    from edgelift.worker.patches import postgres_connections, pymysql_connections
    from edgelift.worker.postgres.installing import install

    if origin == "postgresql":
        install(("psycopg2", "asyncpg"), blocking=False)
        postgres_connections.install()
    else:
        pymysql_connections.install()
    sqlalchemy_moved.install([one.settings for one in finding.list_moved()])
    driver = {"postgresql": "psycopg2", "mysql": "pymysql"}[origin]
    return sa.create_engine(f"{origin}+{driver}://app:word@db.example.org/cases")


def main() -> int:
    """Print the cases of an engine that differ."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        engine = make_moved(sys.argv[1], Path(name))
        folder = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE
        with engine.connect() as connection:
            differ = find_differences(connection, sys.argv[1], folder)
    for wanted, found in differ:
        print(f"> {wanted.text}\n  {wanted.answer or wanted.refusal}\n  {found.answer}~ {found.refusal}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
