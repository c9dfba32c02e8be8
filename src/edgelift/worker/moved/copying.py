"""COPY between the client and a moved table: text and CSV lines become rows, and the other way."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from edgelift.worker.moved.constants import Parameter
from edgelift.worker.moved.failures import ServerError, refuse
from edgelift.worker.moved.lexing import Token
from edgelift.worker.moved.outputs import write_text
from edgelift.worker.moved.session import Command, Outcome

_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Options:
    """How the lines are written."""

    def __init__(self) -> None:
        self.is_csv = False
        self.delimiter = ""
        self.null: str | None = None
        self.header = False

    @property
    def mark(self) -> str:
        """Return what parts values."""
        return self.delimiter or ("," if self.is_csv else "\t")

    @property
    def nothing(self) -> str:
        """Return what stands for NULL."""
        return ("" if self.is_csv else "\\N") if self.null is None else self.null


def read_copy(tokens: list[Token]) -> Command:
    """Return what a COPY does; raises ServerError for files of the server and binary forms."""
    words = [token.upper for token in tokens]
    direction = next((word for word in words if word in {"FROM", "TO"} and _ends(words, word)), "")
    place = len(words) - 1 - words[::-1].index(direction) if direction else 0
    if not direction or words[place + 1 : place + 2] not in (["STDIN"], ["STDOUT"]):
        raise refuse("COPY with a file of the server")
    options = _read_options(tokens[place + 2 :])
    source = tokens[1:place]

    def work(session: Any) -> Outcome:
        copy = (
            CopyIn(session, source, options)
            if direction == "FROM"
            else CopyOut(session, source, options)
        )
        return Outcome(None, [], "COPY", copy)

    return Command(work)


def _ends(words: list[str], word: str) -> bool:
    place = len(words) - 1 - words[::-1].index(word)
    return words[place + 1 : place + 2] in (["STDIN"], ["STDOUT"])


def _read_options(tokens: list[Token]) -> Options:
    options = Options()
    index = 0
    listed = [token for token in tokens if token.text not in {"(", ")", ","}]
    while index < len(listed):
        word = listed[index].upper
        following = listed[index + 1] if index + 1 < len(listed) else None
        if word in {"WITH", "AS"}:
            index += 1
        elif word == "CSV" or (word == "FORMAT" and following and following.upper == "CSV"):
            options.is_csv = True
            index += 1 if word == "CSV" else 2
        elif word == "FORMAT" and following and following.upper == "TEXT":
            index += 2
        elif word in {"DELIMITER", "NULL"}:
            index += 1
            if index < len(listed) and listed[index].upper == "AS":
                index += 1
            value = listed[index].value if index < len(listed) else ""
            setattr(options, word.lower(), value)
            index += 1
        elif word == "HEADER":
            options.header = True
            index += 1
            if following is not None and following.upper in {"TRUE", "FALSE", "ON", "OFF"}:
                options.header = following.upper in {"TRUE", "ON"}
                index += 1
        else:
            raise refuse(f"COPY with {word}")
    return options


def _read_target(session: Any, tokens: list[Token]) -> tuple[Any, list[str]]:
    names = [token.value if token.kind == "name" else token.text.lower() for token in tokens]
    opening = names.index("(") if "(" in names else len(names)
    parts = [name for name in names[:opening] if name != "."]
    table = session.catalogue.find(parts[0] if len(parts) > 1 else "", parts[-1])
    if table is None:
        raise ServerError("42P01", f'relation "{".".join(parts)}" does not exist')
    listed = [name for name in names[opening + 1 : -1] if name != ","]
    columns = listed or [column.name for column in table.columns if not column.generated]
    for name in columns:
        if table.find_column(name) is None:
            raise ServerError(
                "42703", f'column "{name}" of relation "{table.origin}" does not exist'
            )
    return table, columns


def _quote(name: str) -> str:
    inner = name.replace('"', '""')
    return f'"{inner}"'


class CopyIn:
    """COPY FROM STDIN: rows are inserted when all lines have come, all or none."""

    reads = True

    def __init__(self, session: Any, source: list[Token], options: Options) -> None:
        self.session, self.options = session, options
        self.table, self.columns = _read_target(session, source)
        self.width = len(self.columns)
        self.tag = "COPY 0"
        self._data = bytearray()

    def take(self, data: bytes) -> None:
        """Keep a part of the lines."""
        self._data += data

    def finish(self) -> None:
        """Insert what the lines hold; raises ServerError."""
        session = self.session
        marks = ", ".join(f"${n}" for n in range(1, self.width + 1))
        names = ", ".join(map(_quote, self.columns))
        target = f"{_quote(self.table.schema)}.{_quote(self.table.origin)}"
        sql = f"INSERT INTO {target} ({names}) VALUES ({marks})"
        statement = session.prepare(session.split(sql)[0], ())
        count = 0
        for values in self._read_rows():
            if len(values) < self.width:
                missing = self.columns[len(values)]
                raise ServerError("22P04", f'missing data for column "{missing}"')
            if len(values) > self.width:
                raise ServerError("22P04", "extra data after last expected column")
            given = [Parameter(0, None if value is None else value.encode()) for value in values]
            session.run(statement, given, alone=False)
            count += 1
        session.end_pipeline()
        self.tag = f"COPY {count}"

    def _read_rows(self) -> Iterator[list[str | None]]:
        text = self._data.decode("utf-8")
        rows = self._read_csv(text) if self.options.is_csv else self._read_lines(text)
        for number, row in enumerate(rows):
            if number or not self.options.header:
                yield row

    def _read_csv(self, text: str) -> Iterator[list[str | None]]:
        nothing = self.options.nothing
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=self.options.mark):
            if line == ["\\."]:
                return
            yield [None if value == nothing else value for value in line]

    def _read_lines(self, text: str) -> Iterator[list[str | None]]:
        nothing = self.options.nothing
        for line in text.split("\n"):
            plain = line.removesuffix("\r")
            if plain == "\\.":
                return
            if plain or self.width == 1:
                if not plain and line is text:
                    return
                parts = plain.split(self.options.mark)
                yield [None if part == nothing else _unescape(part) for part in parts]

    def __repr__(self) -> str:
        return f"CopyIn({self.table.name})"


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    made, position = [], 0
    while position < len(text):
        char = text[position]
        if char == "\\" and position + 1 < len(text):
            position += 1
            char = _ESCAPES.get(text[position], text[position])
        made.append(char)
        position += 1
    return "".join(made)


class CopyOut:
    """COPY TO STDOUT of a table or a query."""

    reads = False

    def __init__(self, session: Any, source: list[Token], options: Options) -> None:
        self.options = options
        if source[0].text == "(":
            tokens = source[1:-1]
        else:
            table, columns = _read_target(session, source)
            names = ", ".join(map(_quote, columns))
            sql = f"SELECT {names} FROM {_quote(table.schema)}.{_quote(table.origin)}"
            tokens = session.split(sql)[0]
        outcome = session.run(session.prepare(tokens, ()), [], alone=True)
        self.outcome_columns = outcome.columns or ()
        self.rows = outcome.rows
        self.width = len(self.outcome_columns)
        self.tag = f"COPY {len(self.rows)}"

    def write(self) -> Iterator[bytes]:
        """Yield the lines."""
        if self.options.header:
            yield self._line([name for name, _kind in self.outcome_columns])
        for row in self.rows:
            values = [
                write_text(kind, value)
                for value, (_name, kind) in zip(row, self.outcome_columns, strict=True)
            ]
            yield self._line(values)

    def _line(self, values: list[Any]) -> bytes:
        mark = self.options.mark
        shown = [self.options.nothing if v is None else self._show(v) for v in values]
        return (mark.join(shown) + "\n").encode()

    def _show(self, value: str) -> str:
        mark = self.options.mark
        if self.options.is_csv:
            if value == self.options.nothing or set(value) & {mark, '"', "\n", "\r"}:
                doubled = value.replace('"', '""')
                return f'"{doubled}"'
            return value
        escaped = value.replace("\\", "\\\\")
        for name, char in _ESCAPES.items():
            escaped = escaped.replace(char, f"\\{name}")
        return escaped.replace(mark, f"\\{mark}") if mark != "\t" else escaped
