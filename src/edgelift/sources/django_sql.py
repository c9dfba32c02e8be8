"""The app's own SQL in Django over a moved database, in SQLite's words with Django's places.

Django's connection there is one of SQLite. Statements of cursors and raw(), and the parts that
extra() and RawSQL are given, are translated by the Worker's rules (worker/moved) when the build is
made; the Worker finds them by their text.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from edgelift.sources.server_sql import is_query
from edgelift.worker.moment_forms import NOW as NOW_TEXT
from edgelift.worker.moved import checking
from edgelift.worker.moved.constants import CLOCK, LITERAL, NOW, Binding, Constant, Values
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.kinds import MOMENTS, Kind
from edgelift.worker.moved.lexing import LexError, Shape, Token, make_shape, split_statements
from edgelift.worker.moved.moments import read_span
from edgelift.worker.moved.translation import Translation, Translations

_PLACES = re.compile(r"%(?:\((?P<name>\w+)\)s|(?P<plain>s)|(?P<percent>%))")
_BOUND = re.compile(r":b(\d+)\b")
_MARK = "\ue002"  # a text that stands for a parameter of MySQL's
_SAME = frozenset({"", "assign", "limit", "offset", "like", "raw", "lax", "glob\\"})
_ANY_MOMENT = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - no value depends on it
_HEAD = "SELECT "
_KINDS = {
    "bool": "boolean", "date": "date", "time": "time", "interval": "interval", "jsonb": "jsonb",
    "timestamp": "timestamp", "timestamptz": "timestamptz", "array": "array",
}  # fmt: skip


class Kept(NamedTuple):
    """What a text becomes and the kinds of its result columns, or the problem that it has."""

    text: str
    kinds: tuple[str, ...] = ()
    problem: str = ""


class _LeftError(ValueError):
    """A part of a statement that only the server's side of a connection could compute."""


def translate_statement(text: str, translations: Translations) -> Kept:
    """Return a statement of the app in SQLite's words."""
    try:
        plain, names = _number_places(text, translations.engine)
        statements = split_statements(plain, translations.engine)
        if len(statements) != 1:
            return Kept(text, problem="it is not one statement")
        shape = make_shape(statements[0])
        made = translations.find(shape, (), {})
        sql = _write_out(made, shape, names)
    except ServerError as error:
        return Kept(text, problem=checking.tell(error))
    except (LexError, _LeftError) as error:
        return Kept(text, problem=str(error))
    if _has_star(statements[0]):  # rows of a model, which its fields read
        return Kept(sql)
    kinds = tuple(_name_kind(kind) for _name, kind in made.columns or ())
    return Kept(sql, kinds if any(kinds) else ())


def _has_star(tokens: Sequence[Token]) -> bool:
    """Return whether a statement names columns by a star: no multiplication, no count."""
    return any(
        token.text == "*"
        and tokens[index - 1].upper in {"SELECT", ",", ".", "DISTINCT", "RETURNING", "ALL"}
        for index, token in enumerate(tokens)
    )


def translate_part(text: str, translations: Translations) -> Kept:
    """Return an expression or a condition in SQLite's words.

    Which tables it stands among is not known: those that have its columns must say the same.
    """
    if is_query(text):
        made = translate_statement(text, translations)
        return made._replace(kinds=())
    found, problem = set(), ""
    for source in ("", *_list_sources(translations)):
        ending = f" FROM {source}" if source else ""
        made = translate_statement(f"{_HEAD}({text}){ending}", translations)
        if made.problem:
            problem = problem or made.problem
        else:
            found.add(_cut(made.text, source))
    if len(found) == 1:
        return Kept(found.pop())
    return Kept(text, problem=problem if not found else "it means another thing in each table")


def _list_sources(translations: Translations) -> Iterator[str]:
    quote = "`" if translations.engine == "mysql" else '"'
    for table in translations.catalogue.tables.values():
        yield quote + table.origin + quote


def _cut(sql: str, source: str) -> str:
    """Return the expression of a SELECT, its columns without their one table."""
    body = sql.removeprefix(_HEAD)
    if source:
        body, _, _ = body.rpartition(" FROM ")
        body = re.sub(r'"' + re.escape(source.strip('"`')) + r'"\.', "", body)
    body = re.sub(r' AS "[^"]*"$', "", body)
    return body[1:-1] if body.startswith("(") and body.endswith(")") else body


def _number_places(text: str, engine: str) -> tuple[str, list[str]]:
    """Return a text with a parameter or a marked text for each place, and the places' names."""
    names: list[str] = []

    def replace(found: re.Match[str]) -> str:
        if found["percent"]:
            return "%"
        name = found["name"] or f"#{len(names)}"
        if name not in names:
            names.append(name)
        number = names.index(name)
        return f"${number + 1}" if engine != "mysql" else f"'{_MARK}{number}{_MARK}'"

    if not re.search(r"%s|%\(\w+\)s", text):
        return text, []
    return _PLACES.sub(replace, text), names


def _write_out(made: Translation, shape: Shape, names: Sequence[str]) -> str:
    """Return a translation with its constants in it and places for its parameters."""
    used: list[int] = []

    def replace(found: re.Match[str]) -> str:
        binding = made.bindings[int(found[1])]
        number = _find_parameter(binding.constant, shape)
        if number is None:
            return _write_constant(binding, shape)
        if binding.constant.shifts or binding.form not in _SAME:
            raise _LeftError("it computes with a parameter as only the server does")
        used.append(number)
        place = f"?{number + 1}" if names[number].startswith("#") else f":{names[number]}"
        return _write_glob(place) if binding.form.startswith("glob") else place

    sql = _BOUND.sub(replace, made.sql)
    if used == list(range(len(used))) and len(used) == len(names):
        return re.sub(r"\?\d+", "?", sql)
    if any(name.startswith("#") for name in names) and set(used) != set(range(len(names))):
        raise _LeftError("its parameters would change their number")
    return sql


def _find_parameter(constant: Constant, shape: Shape) -> int | None:
    if constant.source == LITERAL:
        value = shape.literals[constant.place]
        marked = value[:1] == _MARK == value[-1:]
        return int(value.strip(_MARK)) if marked else None
    return None if constant.source in {NOW, CLOCK} else constant.place


def _write_constant(binding: Binding, shape: Shape) -> str:
    if binding.constant.source in {NOW, CLOCK}:
        return _write_now(binding, shape)
    value = binding.read(Values(shape.literals, (), (), _ANY_MOMENT))
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def _write_now(binding: Binding, shape: Shape) -> str:
    steps = []
    for sign, constant in binding.constant.shifts:
        if constant.source != LITERAL or _find_parameter(constant, shape) is not None:
            raise _LeftError("it computes with a parameter as only the server does")
        span = read_span(shape.literals[constant.place])
        if span.months:
            raise _LeftError("it computes with months")
        if span.days:
            steps.append(f", '{sign * span.days:+d} days'")
        if span.micros:
            steps.append(f", '{sign * span.micros / 1e6:+.6f} seconds'")
    if binding.kind.name == "date":
        return f"date('now'{''.join(steps)})"
    if binding.kind.name not in MOMENTS or binding.kind.form not in {"", "sqlalchemy", "django"}:
        raise _LeftError("it takes the moment in a form of its own")
    return NOW_TEXT.replace("'now'", f"'now'{''.join(steps)}")


def _write_glob(place: str) -> str:
    """Return a pattern of LIKE as GLOB's, which looks at case as PostgreSQL does."""
    for old, new in (("[", "[[]"), ("*", "[*]"), ("?", "[?]"), ("%", "*"), ("_", "?")):
        place = f"replace({place}, '{old}', '{new}')"
    return place


def _name_kind(kind: Kind) -> str:
    if kind.name == "numeric":
        return f"numeric:{kind.scale}" if kind.scale >= 0 else "numeric"
    return _KINDS.get(kind.name, "")


__all__ = ["Kept", "translate_part", "translate_statement"]
