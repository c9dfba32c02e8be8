"""A database that lies in several: each statement goes to the shard of the request that runs it.

A connection to it has no shard of its own. Whoever uses it, a pool's next customer or a request
beside another, works on the shard that was chosen for him (worker/sharding), with a transaction of
its own there; so a connection that is handed on cannot carry rows of one tenant to another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgelift.worker import flows
from edgelift.worker.shard_map import ShardMap, read_shard_map
from edgelift.worker.sharding.choice import read_choice
from edgelift.worker.sqlite3.errors import OperationalError
from edgelift.worker.sqlite3.fitting import Fitted
from edgelift.worker.sqlite3.object_transaction import ObjectTransaction
from edgelift.worker.sqlite3.shard_ids import Source, write_raise, write_take
from edgelift.worker.sqlite3.shard_keys import KeyCheck
from edgelift.worker.sqlite3.shard_rules import Rules
from edgelift.worker.sqlite3.transactions import Books
from edgelift.worker.sqlite3.transport import RAW, RUN, Answer, Asked, Database

_WAIT_MS = 5000  # for the counters, which nobody holds longer than a statement takes


class ShardedDatabase(Database):
    """All shards of a database under one binding; `counters` gives out their numbers."""

    def __init__(
        self,
        binding: str,
        routing: ShardMap,
        members: Mapping[str, Database],
        counters: Database | None = None,
    ) -> None:
        super().__init__(binding)
        self.routing = routing
        self.members = members
        self.rules = Rules(routing)
        self.counters = Counters(counters)

    def connect(self, busy_ms: int) -> tuple[Database, Books]:
        """Return what stands for the shard that is chosen whenever it is used, and its books."""
        return self._connect(busy_ms, "")

    def _connect(self, busy_ms: int, fixed: str) -> tuple[Database, Books]:
        sessions = Sessions(self, busy_ms, fixed)
        return _Link(sessions), _Books(sessions)  # type: ignore[return-value]

    def find_member(self, shard: str) -> Database:
        """Return one shard, for an app that names it itself; raises OperationalError."""
        if shard not in self.members:
            raise OperationalError(f"unable to open database file: there is no shard {shard!r}")
        return _Member(self, shard)


class _Member(Database):
    """A shard that the app has named: no request chooses, all else is as for any other."""

    def __init__(self, whole: ShardedDatabase, shard: str) -> None:
        super().__init__(whole.binding)
        self._whole = whole
        self._shard = shard

    def connect(self, busy_ms: int) -> tuple[Database, Books]:
        """Return the way to the shard and its books."""
        return self._whole._connect(busy_ms, self._shard)


def build_sharded(
    database: Mapping[str, Any], make: Callable[[str, str], Database]
) -> ShardedDatabase:
    """Return a sharded database of the settings JSON; `make` gives one by binding and shard."""
    shards, binding = database["shards"], database["binding"]
    routing = read_shard_map(shards["map"])
    bindings = shards.get("bindings", {})
    members = {name: make(bindings.get(name, binding), name) for name in routing.shards}
    counters = make(binding, "") if routing.counters else None
    return ShardedDatabase(binding, routing, members, counters)


class Counters:
    """The numbers of all shards, kept where no rows are."""

    def __init__(self, database: Database | None) -> None:
        self._database = database

    def take(self, table: str, count: int) -> int:
        """Return the first of `count` numbers, which nobody else gets."""
        rows = self._ask(write_take(table, count), RAW)
        if not rows:
            raise OperationalError(f"the counters of the shards know no table {table}")
        return int(rows[0][0]) - count + 1

    def raise_to(self, table: str, number: int) -> None:
        """Let the numbers go on behind one that the app chose itself."""
        self._ask(write_raise(table, number), RUN)

    def _ask(self, sql: str, form: str) -> list[list[Any]]:
        if self._database is None:
            raise OperationalError("these shards have no counters")
        link, _ = self._database.connect(_WAIT_MS)
        return link.ask([(Fitted(sql, []), form)], writes=True).results[0].rows


@dataclass
class Session:
    """What a connection has in one shard: the way to it, its transaction, who used it last."""

    link: Database
    books: Books
    numbers: Source | None
    keys: KeyCheck | None
    request_id: int = 0


class Sessions:
    """A connection's sessions, by shard; "" is that of callers who have no shard."""

    def __init__(self, whole: ShardedDatabase, busy_ms: int, fixed: str = "") -> None:
        self.whole = whole
        self.made: dict[str, Session] = {}
        self._busy_ms = busy_ms
        self._fixed = fixed

    def find(self) -> tuple[Session, str]:
        """Return the session of the running code, and why it has no shard ("" when it has)."""
        choice = read_choice()
        shard = self._fixed or choice.shards.get(self.whole.binding, "")
        session = self.made.get(shard)
        if session is None:
            session = self.made[shard] = self._make(shard)
        self._leave(session)
        return session, "" if shard else choice.reason or "no shard was chosen for it"

    @property
    def current(self) -> Session:
        """Return the session of the running code."""
        return self.find()[0]

    @staticmethod
    def _leave(session: Session) -> None:
        """Close books that a request has left open which is over and had not written anything."""
        request_id = flows.current.get().request_id
        if session.request_id == request_id:
            return
        books, before = session.books, session.request_id
        if before and not flows.is_running(before):
            if not isinstance(books, ObjectTransaction):
                books.discard()
            elif not books.started:
                books.close_books()
        session.request_id = request_id

    def _make(self, shard: str) -> Session:
        members = self.whole.members
        member = members[shard] if shard else next(iter(members.values()))
        link, books = member.connect(self._busy_ms)
        if not shard:
            return Session(link, books, None, None)

        def read_columns(table: str) -> list[str]:
            return [name for name, _ in link.read_table(table)]

        def count_rows(query: Fitted) -> int:
            return int(link.ask([(query, RAW)]).results[0].rows[0][0])

        routing, counters = self.whole.routing, self.whole.counters
        numbers = Source(routing.counters, counters, read_columns, count_rows)
        return Session(link, books, numbers, KeyCheck(routing, shard, read_columns))


class _Link:
    """Stands for the `Database` of the shard that is chosen when it is used."""

    _sessions: Sessions

    def __init__(self, sessions: Sessions) -> None:
        object.__setattr__(self, "_sessions", sessions)

    def ask(
        self, statements: Sequence[Asked], names: Fitted | None = None, **wishes: bool
    ) -> Answer:
        """Run statements in the shard, as far as its rules let them; see `Database.ask`."""
        session, reason = self._sessions.find()
        texts = [fitted.sql for fitted, _ in statements]
        rules = self._sessions.whole.rules
        if reason:
            rules.check_without_shard([*texts, *([names.sql] if names else [])], reason)
        else:
            rules.check(texts)
        if session.numbers is not None and session.keys is not None and wishes.get("writes"):
            written = [fitted for fitted, _ in statements]
            session.keys.check(written)
            numbered = session.numbers.number(written)
            forms = [form for _, form in statements]
            statements = list(zip(numbered, forms, strict=True))
        return session.link.ask(statements, names, **wishes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sessions.current.link, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._sessions.current.link, name, value)


class _Books:
    """Stands for the transaction in the shard that is chosen when it is used.

    The end of a connection ends those in all shards.
    """

    _sessions: Sessions

    def __init__(self, sessions: Sessions) -> None:
        object.__setattr__(self, "_sessions", sessions)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._sessions.current.books)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sessions.current.books, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._sessions.current.books, name, value)

    def _others(self) -> list[Books]:
        own = self._sessions.current.books
        return [one.books for one in self._sessions.made.values() if one.books is not own]

    def discard(self) -> None:
        """Close all of them: what they wrote is not wanted."""
        for books in self._others():
            _give_up(books)
        self._sessions.current.books.discard()

    @property
    def started(self) -> bool:
        """Return whether an object is taken in any shard."""
        made = self._sessions.made.values()
        return any(isinstance(s.books, ObjectTransaction) and s.books.started for s in made)

    def abandon(self) -> None:
        """Roll all of them back without waiting."""
        for session in self._sessions.made.values():
            _give_up(session.books)


def _give_up(books: Books) -> None:
    if isinstance(books, ObjectTransaction):
        books.abandon()
    else:
        books.discard()
