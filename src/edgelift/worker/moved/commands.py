"""PostgreSQL's statements that are about the session: transactions, settings, cursors, refusals.

They are read by their first words; what is about rows goes to translation.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgelift.worker.moved.failures import ServerError, refuse, syntax_error
from edgelift.worker.moved.kinds import TEXT, Kind
from edgelift.worker.moved.lexing import Token
from edgelift.worker.moved.session import Command, Outcome
from edgelift.worker.moved.transactions import LEVELS

Tokens = list[Token]
_SETTING_NAMES = {
    "timezone": "TimeZone",
    "datestyle": "DateStyle",
    "intervalstyle": "IntervalStyle",
}
_IDLE = ("ANALYZE", "UNLISTEN", "VACUUM", "CHECKPOINT", "DEALLOCATE")
_SCHEMA = "the schema is that of the migrations"
_NO_SUCH = {
    "LISTEN": "there is no server that notifies",
    "NOTIFY": "there is no server that notifies",
    "EXPLAIN": "its plans are the server's",
    "CALL": "the procedures stayed on the server",
    "DO": "it runs a procedural language",
    "REFRESH": "materialized views are tables of their rows",
    "MERGE": "SQLite has no MERGE",
    **dict.fromkeys(("GRANT", "REVOKE"), "there are no roles"),
    **dict.fromkeys(("PREPARE", "EXECUTE"), "prepare through the driver instead"),
    **dict.fromkeys(("ALTER", "DROP", "REINDEX", "COMMENT", "CLUSTER"), _SCHEMA),
}


def read_command(tokens: Tokens) -> Command | None:
    """Return what a statement about the session does, None for a statement about rows."""
    first = tokens[0].upper
    reader = _READERS.get(first)
    if reader is not None:
        return reader(tokens)
    if first == "SELECT" and _asks_for_hstore(tokens):
        return Command(lambda _session: Outcome(_OIDS, [], "SELECT 0"), columns=_OIDS)
    if first in _NO_SUCH:
        raise refuse(f"{first}: {_NO_SUCH[first]}")
    return None


def _asks_for_hstore(tokens: Tokens) -> bool:
    """Return whether a driver asks for the numbers of the extension's type, which has none here."""
    return any(token.upper == "PG_TYPE" for token in tokens) and any(
        token.kind == "text" and token.value == "hstore" for token in tokens
    )


_OIDS = (("oid", Kind("oid")), ("typarray", Kind("oid")))


def _words(tokens: Tokens) -> list[str]:
    return [token.upper for token in tokens]


def _name(token: Token) -> str:
    return token.value if token.kind == "name" else token.text.lower()


def _done(tag: str) -> Outcome:
    return Outcome(None, [], tag)


# Transactions


def _read_modes(words: list[str]) -> tuple[str | None, bool | None]:
    text = " ".join(words)
    level = next((one for one in LEVELS if f"ISOLATION LEVEL {one.upper()}" in text), None)
    readonly = True if "READ ONLY" in text else False if "READ WRITE" in text else None
    return level, readonly


def _begin(tokens: Tokens) -> Command:
    level, readonly = _read_modes(_words(tokens))
    tag = "START TRANSACTION" if tokens[0].upper == "START" else "BEGIN"

    def work(session: Any) -> Outcome:
        if not session.transactions.begin():
            session.warn("25001", "there is already a transaction in progress")
        session.transactions.set_modes(level, readonly)
        return _done(tag)

    return Command(work)


def _commit(tokens: Tokens) -> Command:
    words = _words(tokens)
    if "PREPARED" in words or "CHAIN" in words:
        raise refuse("COMMIT of this form")

    def work(session: Any) -> Outcome:
        if session.transactions.status == "I":
            session.warn("25P01", "there is no transaction in progress")
        return _done(session.commit())

    return Command(work, ends=True)


def _rollback(tokens: Tokens) -> Command:
    words = _words(tokens)
    if "PREPARED" in words or "CHAIN" in words:
        raise refuse("ROLLBACK of this form")
    if "TO" in words:
        name = _name(tokens[-1])

        def back(session: Any) -> Outcome:
            session.transactions.roll_back_to(name)
            return _done("ROLLBACK")

        return Command(back, ends=True)

    def work(session: Any) -> Outcome:
        if session.transactions.status == "I":
            session.warn("25P01", "there is no transaction in progress")
        session.transactions.roll_back()
        session.drop_cursors()
        return _done("ROLLBACK")

    return Command(work, ends=True)


def _savepoint(tokens: Tokens) -> Command:
    name, release = _name(tokens[-1]), tokens[0].upper == "RELEASE"

    def work(session: Any) -> Outcome:
        if release:
            session.transactions.release(name)
            return _done("RELEASE")
        session.transactions.save(name)
        return _done("SAVEPOINT")

    return Command(work)


# Settings


def _set(tokens: Tokens) -> Command:
    words = _words(tokens)
    rest = tokens[1:]
    is_local = words[1:2] == ["LOCAL"]
    if words[1:2] in (["SESSION"], ["LOCAL"]) and words[2:3] != ["CHARACTERISTICS"]:
        rest = rest[1:]
    if words[1:3] == ["SESSION", "CHARACTERISTICS"] or _words(rest)[:1] == ["TRANSACTION"]:
        return _set_transaction(words)
    if _words(rest)[:2] == ["TIME", "ZONE"]:
        name, values = "timezone", rest[2:]
    elif _words(rest)[:1] == ["NAMES"]:
        name, values = "client_encoding", rest[1:]
    else:
        name, position = _read_setting(rest)
        if position >= len(rest) or rest[position].upper not in {"TO", "="}:
            raise syntax_error(f'syntax error at or near "{rest[-1].text}"')
        values = rest[position + 1 :]
    value = ", ".join(_value(token) for token in values if token.text != ",")
    default = len(values) == 1 and values[0].upper == "DEFAULT"

    def work(session: Any) -> Outcome:
        session.change_setting(name, None if default else value, is_local=is_local)
        return _done("SET")

    return Command(work)


def _read_setting(tokens: Tokens) -> tuple[str, int]:
    name, position = _name(tokens[0]), 1
    while position + 1 < len(tokens) and tokens[position].text == ".":
        name += "." + _name(tokens[position + 1])
        position += 2
    return name.lower(), position


def _value(token: Token) -> str:
    return token.value if token.kind in {"text", "name", "number"} else token.text


def _set_transaction(words: list[str]) -> Command:
    level, readonly = _read_modes(words)
    lasting = "CHARACTERISTICS" in words

    def work(session: Any) -> Outcome:
        transactions = session.transactions
        if lasting:
            transactions.default_level = level or transactions.default_level
            if readonly is not None:
                transactions.default_readonly = readonly
        elif transactions.status == "I":
            session.warn("25P01", "SET TRANSACTION can only be used in transaction blocks")
        else:
            transactions.set_modes(level, readonly)
        return _done("SET")

    return Command(work)


def _show(tokens: Tokens) -> Command:
    words = _words(tokens[1:])
    name = {"TIME ZONE": "timezone", "TRANSACTION ISOLATION LEVEL": "transaction_isolation"}.get(
        " ".join(words)
    )
    name = name or _read_setting(tokens[1:])[0]

    def work(session: Any) -> Outcome:
        value = session.read_setting(name)
        return Outcome(((_SETTING_NAMES.get(name, name), TEXT),), [(value,)], "SHOW")

    return Command(work, columns=((_SETTING_NAMES.get(name, name), TEXT),))


def _reset(tokens: Tokens) -> Command:
    words = _words(tokens)

    def work(session: Any) -> Outcome:
        if words[0] == "DISCARD" and session.transactions.status != "I":
            raise ServerError("25001", "DISCARD ALL cannot run inside a transaction block")
        if words[1:] in (["ALL"], ["SESSION", "AUTHORIZATION"]) or words[0] == "DISCARD":
            if words[1:] == ["ALL"]:
                session.reset_settings()
                session.drop_cursors()
        else:
            session.change_setting(_read_setting(tokens[1:])[0], None)
        return _done(" ".join(words) if words[0] == "DISCARD" else "RESET")

    return Command(work)


def _nothing(tag: str) -> Callable[[Tokens], Command]:
    """Return the reader of a statement that has nothing to do here."""
    return lambda _tokens: Command(lambda _session: _done(tag))


def _lock(_tokens: Tokens) -> Command:
    def work(session: Any) -> Outcome:
        if session.transactions.status == "I":
            raise ServerError("25P01", "LOCK TABLE can only be used in transaction blocks")
        session.transactions.prepare(writes=False, locks=True, counts=False, verb="LOCK TABLE")
        return _done("LOCK TABLE")

    return Command(work)


# Cursors


def _declare(tokens: Tokens) -> Command:
    words = _words(tokens)
    if "FOR" not in words or "CURSOR" not in words:
        raise syntax_error('syntax error at or near "DECLARE"')
    name, start = _name(tokens[1]), words.index("FOR") + 1
    holds = "HOLD" in words[:start] and "WITHOUT" not in words[:start]

    def work(session: Any) -> Outcome:
        if session.transactions.status == "I" and not holds:
            raise ServerError("25P01", "DECLARE CURSOR can only be used in transaction blocks")
        session.declare(name, tokens[start:], holds=holds)
        return _done("DECLARE CURSOR")

    return Command(work)


def _fetch(tokens: Tokens) -> Command:
    words = _words(tokens)
    rest = [token for token in tokens[1:] if token.upper not in {"FROM", "IN"}]
    name = _name(rest[-1])
    parts = [token.upper for token in rest[:-1]]
    verb = words[0]

    def work(session: Any) -> Outcome:
        columns, rows = session.fetch(name, parts)
        if verb == "MOVE":
            return _done(f"MOVE {len(rows)}")
        return Outcome(columns, rows, f"FETCH {len(rows)}")

    return Command(work, cursor="" if verb == "MOVE" else name)


def _close(tokens: Tokens) -> Command:
    name = _name(tokens[-1])
    whole = tokens[-1].upper == "ALL"

    def work(session: Any) -> Outcome:
        if whole:
            session.drop_cursors()
            return _done("CLOSE CURSOR ALL")
        session.close_cursor(name)
        return _done("CLOSE CURSOR")

    return Command(work)


# Schema: the app's own "make it unless it is there" finds what was moved.


def _create(tokens: Tokens) -> Command:
    words = _words(tokens)
    what = "INDEX" if "INDEX" in words[:4] else words[1]
    if words[1:3] in (["EXTENSION", "IF"], ["SCHEMA", "IF"]):
        return Command(lambda _session: _done(f"CREATE {words[1]}"))
    if what not in {"TABLE", "INDEX"} or "EXISTS" not in words:
        raise refuse(f"CREATE {words[1]}: the schema is that of the migrations")
    position = words.index("EXISTS") + 1
    parts = [_name(tokens[position])]
    if position + 2 < len(tokens) and tokens[position + 1].text == ".":
        parts.append(_name(tokens[position + 2]))

    def work(session: Any) -> Outcome:
        catalogue = session.catalogue
        schema = parts[0] if len(parts) > 1 else ""
        known = (
            catalogue.find(schema, parts[-1]) is not None if what == "TABLE"
            else parts[-1] in catalogue.indexes
        )  # fmt: skip
        if not known:
            raise refuse(f"CREATE {what}: {parts[-1]} is not among what was moved")
        session.notice("42P07", f'relation "{parts[-1]}" already exists, skipping')
        return _done(f"CREATE {what}")

    return Command(work)


def _copy(tokens: Tokens) -> Command:
    from edgelift.worker.moved.copying import read_copy

    return read_copy(tokens)


_READERS: dict[str, Callable[[Tokens], Command]] = {
    **{word: _nothing(word) for word in _IDLE},
    **dict.fromkeys(("BEGIN", "START"), _begin),
    **dict.fromkeys(("COMMIT", "END"), _commit),
    **dict.fromkeys(("ROLLBACK", "ABORT"), _rollback),
    **dict.fromkeys(("SAVEPOINT", "RELEASE"), _savepoint),
    **dict.fromkeys(("RESET", "DISCARD"), _reset),
    **dict.fromkeys(("FETCH", "MOVE"), _fetch),
    "SET": _set,
    "SHOW": _show,
    "LOCK": _lock,
    "DECLARE": _declare,
    "CLOSE": _close,
    "CREATE": _create,
    "COPY": _copy,
}
