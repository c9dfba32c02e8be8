"""A judgement whose server is lost on the way goes on by itself; what does not pass is told at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.model.mover_settings import SchemaSection
from edgelift.sources.mysql import snapshot as mysql_snapshot
from edgelift.sources.mysql.connection import MySqlSession
from edgelift.sources.patience import PAUSES_S, Patience
from edgelift.sources.postgres import snapshot as postgres_snapshot
from edgelift.sources.postgres.catalogue import CatalogueReader
from edgelift.sources.postgres.errors import QueryCancelled
from edgelift.stages.schema.server.inquiry import Inquiry, Listener
from tests.contract.mover.test_errors import Origin, assert_three_lines, origin

__all__ = ["origin"]  # the fixture

SCHEMA = SchemaSection()
LOST = OriginUnavailable("gone")


def test_pauses_grow_and_begin_anew_with_progress() -> None:
    patience = Patience()
    assert [patience.find_pause(LOST, 0) for _ in range(3)] == list(PAUSES_S[:3])
    assert patience.find_pause(LOST, 1) == PAUSES_S[0]
    rest = [patience.find_pause(LOST, 1) for _ in PAUSES_S[1:]]
    assert rest == list(PAUSES_S[1:])
    with pytest.raises(OriginUnavailable):
        patience.find_pause(LOST, 1)
    assert patience.find_pause(LOST, 2) == PAUSES_S[0]


@pytest.mark.parametrize("error", [OriginError("wrong"), QueryCancelled("on purpose")])
def test_what_does_not_pass_is_not_waited_for(error: OriginError) -> None:
    with pytest.raises(type(error)):
        Patience().find_pause(error, 5)


def act_once(monkeypatch, place: object, name: str, act: Callable[[], None], at: int) -> list[int]:
    """Let a method call `act` before its `at`-th call; return a list that counts the calls."""
    real, calls = getattr(place, name), []

    def acting(*arguments, **more):
        calls.append(1)
        if len(calls) == at:
            act()
        return real(*arguments, **more)

    monkeypatch.setattr(place, name, acting)
    return calls


def ask(origin: Origin, wait: Callable[[float], None]) -> Inquiry:
    inquiry = Inquiry(origin.url(), SCHEMA, frozenset(), Listener(wait=wait))
    inquiry.ask_patiently()
    return inquiry


@pytest.mark.parametrize("at", [4, 9])
def test_a_connection_cut_while_the_catalogue_is_read(origin: Origin, at: int, monkeypatch) -> None:
    waits: list[float] = []
    place, name = (
        (CatalogueReader, "_query") if origin.kind == "postgres" else (MySqlSession, "read_texts")
    )
    act_once(monkeypatch, place, name, origin.cut, at)
    assert set(ask(origin, waits.append).facts) == {(place_of(origin), "t")}
    assert waits == [PAUSES_S[0]]


def place_of(origin: Origin) -> str:
    return "public" if origin.kind == "postgres" else origin.database


def test_what_was_counted_is_not_counted_again(origin: Origin, monkeypatch) -> None:
    waits: list[float] = []
    more = "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE z (id int)"
    if origin.kind == "postgres":
        origin.server.run(more, origin.database)
        place: object = postgres_snapshot
    else:
        origin.server.run_script(more, origin.database)
        place = mysql_snapshot
    calls = act_once(monkeypatch, place, "read_facts", origin.cut, 3)
    found = ask(origin, waits.append)
    assert len(found.facts) == 4
    assert len(waits) == 1
    # PostgreSQL's reader tries a query three times before it gives its snapshot up.
    assert len(calls) - len([1 for _ in waits]) <= 4 + 2


def test_a_server_that_stays_away_after_it_answered(monkeypatch) -> None:
    waits: list[float] = []
    inquiry = Inquiry("postgresql://h/d", SCHEMA, frozenset(), Listener(wait=waits.append))
    monkeypatch.setattr(inquiry, "ask", lambda: setattr(inquiry, "connected", True) or lose())
    with pytest.raises(OriginUnavailable):
        inquiry.ask_patiently()
    assert waits == list(PAUSES_S)


def lose() -> None:
    raise LOST


def test_a_server_that_was_never_there_is_not_waited_for(monkeypatch) -> None:
    inquiry = Inquiry("postgresql://h/d", SCHEMA, frozenset(), Listener(wait=pytest.fail))
    monkeypatch.setattr(inquiry, "ask", lose)
    with pytest.raises(OriginUnavailable):
        inquiry.ask_patiently()


def test_a_query_that_somebody_cancels_is_not_forced_on_the_server(make_database) -> None:
    url = make_database("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    inquiry = Inquiry(url, SCHEMA, frozenset(), Listener(progress=cancel, wait=pytest.fail))
    with pytest.raises(QueryCancelled) as caught:
        inquiry.ask_patiently()
    assert_three_lines(caught.value)


def cancel(*_told: object) -> None:
    raise QueryCancelled("A query was cancelled", why="by an administrator", tip="run it again")
