"""PostgreSQL's protocol is spoken as the server speaks it, whatever a driver sends."""

from __future__ import annotations

import random
import struct

import pytest

from edgelift.worker.moved.backend import Backend
from edgelift.worker.moved.channel import Channel
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.postgres import messages
from edgelift.worker.postgres.results import Status, split_row
from edgelift.worker.postgres.session import Session as Client


@pytest.fixture
def talk(session):
    """Return a client that has logged in, and a way to exchange what it has to say."""
    backend = Backend(lambda _options: session)
    client = Client()
    client.start({"user": "me", "database": "main"}, None)

    def exchange() -> list:
        data, client.outgoing = bytes(client.outgoing), bytearray()
        for position in range(0, len(data), 7):  # in small parts
            backend.feed(data[position : position + 7])
        client.feed(bytes(backend.outgoing))
        backend.outgoing.clear()
        results = list(client.results)
        client.results.clear()
        return results

    exchange()
    assert client.started
    return client, exchange, backend


def states(results: list) -> list[str]:
    return [r.report["C"].decode() if r.status is Status.ERROR else r.status.value for r in results]


def test_logging_in_tells_the_settings(talk) -> None:
    client, _exchange, _backend = talk
    assert client.parameters["client_encoding"] == "UTF8"
    assert client.parameters["server_version"].startswith("15")
    assert client.transaction == b"I"


def test_simple_queries(talk) -> None:
    client, exchange, _backend = talk
    client.query(b"SELECT id, email FROM accounts ORDER BY id; SELECT 1 WHERE false")
    first, second, ready = exchange()
    assert [field.type_oid for field in first.fields] == [23, 1043]
    assert [split_row(row) for row in first.rows] == [[b"1", b"a@x"], [b"2", b"b@x"]]
    assert (first.tag, second.tag, ready.status) == (b"SELECT 2", b"SELECT 0", Status.READY)
    client.query(b" ; ")
    assert states(exchange()) == ["empty", "ready"]


def test_an_error_ends_a_script_and_tells_the_state(talk) -> None:
    client, exchange, _backend = talk
    client.query(b"BEGIN; SELECT nope; SELECT 2")
    assert states(exchange()) == ["done", "42703", "ready"]
    assert client.transaction == b"E"
    client.query(b"ROLLBACK")
    exchange()
    assert client.transaction == b"I"


def test_extended_queries_in_binary(talk) -> None:
    client, exchange, _backend = talk
    client.parse(b"s", b"SELECT balance, tags FROM accounts WHERE id = $1")
    client.describe(b"S", b"s")
    client.bind(b"", b"s", [struct.pack("!i", 1)], [1], [1])
    client.execute(describe=False)
    client.sync()
    prepared, described, rows, _ready = exchange()
    assert described.parameter_oids == (23,)
    assert [field.type_oid for field in described.fields] == [1700, 1009]
    balance, tags = split_row(rows.rows[0])
    assert balance == struct.pack("!hhHhhh", 2, 0, 0, 2, 10, 5000)
    assert tags.endswith(b"red\x00\x00\x00\x03b c")
    assert prepared.status is Status.PREPARED


def test_rows_come_in_parts(talk) -> None:
    client, exchange, _backend = talk
    client.query(b"BEGIN")
    exchange()
    client.parse(b"", b"SELECT id FROM accounts ORDER BY id")
    client.bind(b"p", b"", [])
    client.execute(b"p", 1)
    client.execute(b"p", 5)
    client.sync()
    assert states(exchange()) == ["prepared", "suspended", "rows", "ready"]


def test_a_pipeline_is_one_transaction(talk) -> None:
    client, exchange, _backend = talk
    client.parse(b"i", b"INSERT INTO accounts (email) VALUES ($1)")
    for email in (b"c@x", b"a@x", b"d@x"):
        client.bind(b"", b"i", [email])
        client.execute(describe=False)
    client.sync()
    assert states(exchange()) == ["prepared", "done", "23505", "aborted", "ready"]
    client.query(b"SELECT count(*) FROM accounts")
    assert split_row(exchange()[0].rows[0]) == [b"2"]


@pytest.mark.parametrize(
    ("send", "state"),
    [
        (lambda c: c.parse(b"", b"SELECT 1; SELECT 2"), "42601"),
        (lambda c: c.describe(b"S", b"nope"), "26000"),
        (lambda c: c.execute(b"nope", describe=False), "34000"),
        (lambda c: c.bind(b"", b"nope", []), "26000"),
        (lambda c: (c.parse(b"", b"SELECT $1::int"), c.bind(b"", b"", [])), "08P01"),
        (lambda c: (c.parse(b"", b"SELECT $1::int"), c.bind(b"", b"", [b"x"]), c.execute()), "22P02"),
        (lambda c: (c.parse(b"", b"SELECT $1::int"), c.bind(b"", b"", [b"\0"], [1]), c.execute()), "22P03"),
    ],
)  # fmt: skip
def test_wrong_messages_are_answered_by_errors(talk, send, state: str) -> None:
    client, exchange, _backend = talk
    send(client)
    client.sync()
    assert state in states(exchange())
    client.query(b"SELECT 1")
    assert states(exchange())[-2:] == ["rows", "ready"]


def test_copy_in_and_out(talk) -> None:
    client, exchange, _backend = talk
    client.query(b"COPY accounts (email, balance) FROM STDIN")
    assert exchange()[0].status is Status.COPY_IN
    client.outgoing += messages.build_copy_data(b"c\\tx@x\t1.5\nd@x\t\\N\n".replace(b"\\N", b"2"))
    client.outgoing += messages.COPY_DONE
    assert exchange()[0].tag == b"COPY 2"
    client.query(b"COPY (SELECT email, info FROM accounts ORDER BY id) TO STDOUT WITH CSV HEADER")
    result = next(r for r in exchange() if r.tag)
    assert result.tag == b"COPY 4"
    assert client.copied[0] == b"email,info\n"
    assert client.copied[3] == b"c\tx@x,\n"


@pytest.mark.parametrize(
    ("lines", "state"),
    [(b"x\n", "22P04"), (b"x\t1\t2\n", "22P04"), (b"x\tabc\n", "22P02"), (b"a@x\t1\n", "23505")],
)
def test_a_copy_that_fails_leaves_nothing(talk, lines: bytes, state: str) -> None:
    client, exchange, _backend = talk
    client.query(b"COPY accounts (email, balance) FROM STDIN")
    exchange()
    client.outgoing += messages.build_copy_data(b"ok@x\t1\n" + lines) + messages.COPY_DONE
    assert states(exchange()) == [state, "ready"]
    client.query(b"SELECT count(*) FROM accounts")
    assert split_row(exchange()[0].rows[0]) == [b"2"]


def test_a_copy_that_the_client_gives_up(talk) -> None:
    client, exchange, _backend = talk
    client.query(b"COPY accounts (email) FROM STDIN")
    exchange()
    client.outgoing += messages.build_copy_fail(b"no more")
    assert states(exchange()) == ["57014", "ready"]


def test_a_refused_login(session) -> None:
    def refuse(_options):
        raise ServerError("0A000", "no")

    backend = Backend(refuse)
    backend.feed(messages.build_startup({"user": "me", "database": "x", "replication": "1"}))
    assert b"FATAL" in backend.outgoing
    assert backend.closed
    del session


def test_tls_is_declined_and_the_end_is_told(session) -> None:
    channel = Channel(Backend(lambda _options: session))
    channel.sendall(messages.SSL_REQUEST)
    assert channel.recv(1) == b"N"
    with pytest.raises(BlockingIOError):
        channel.recv(1)
    channel.sendall(messages.build_startup({"user": "me", "database": "x"}))
    assert channel.recv(1) == b"R"
    channel.sendall(messages.TERMINATE)
    channel.recv(65536)
    assert channel.recv(1) == b""
    with pytest.raises(BrokenPipeError):
        channel.sendall(b"x")


@pytest.mark.parametrize("seed", range(40))
def test_garbage_is_answered_by_errors_alone(talk, seed: int) -> None:
    client, _exchange, backend = talk
    rng = random.Random(seed)
    for _ in range(30):
        kind = rng.choice(b"QPBDECSHdcfxF")
        body = rng.choice(
            [
                rng.randbytes(rng.randrange(12)),
                b"SELECT 1\0",
                b"\0SELECT $1\0\0\0",
                b"S\0",
                b"\0\0\0\0\0\0",
            ]
        )
        backend.feed(messages.build_message(bytes((kind,)), body))
    backend.outgoing.clear()
    backend.feed(messages.SYNC)
    assert backend.outgoing.endswith(b"Z\0\0\0\5I") or backend.outgoing[-1:] in {b"T", b"E"}
    del client
