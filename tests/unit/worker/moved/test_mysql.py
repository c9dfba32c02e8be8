"""A session of MySQL's, and its protocol: counts, numbers, autocommit, errors, hostile packets."""

from __future__ import annotations

import random

import pytest

from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.kinds import Kind
from edgelift.worker.moved.mysql_backend import MysqlBackend, pack_number, read_number
from edgelift.worker.moved.mysql_errors import find_number
from edgelift.worker.moved.mysql_values import find_type, write_value


def run(session, sql: str):
    (tokens,) = session.split(sql)
    return session.run_tokens(tokens)


def rows(session, sql: str) -> list[tuple]:
    answer = run(session, sql)
    kinds = [kind for _name, kind in answer.columns]
    return [tuple(map(write_value, kinds, row)) for row in answer.rows]


def fail(session, sql: str) -> tuple[int, str]:
    with pytest.raises(ServerError) as caught:
        run(session, sql)
    return find_number(caught.value)[0], caught.value.message


def test_rows_that_stay_as_they_are_do_not_count(mysql_session) -> None:
    assert run(mysql_session, "UPDATE accounts SET balance = 7 WHERE id = 2").affected == 0
    assert run(mysql_session, "UPDATE accounts SET balance = 8 WHERE id IN (1, 2)").affected == 2
    assert run(mysql_session, "UPDATE accounts SET email = 'A@x' WHERE id = 1").affected == 1


def test_found_rows_where_the_driver_asks_for_them(mysql_session) -> None:
    mysql_session.settings["counts_found"] = "1"
    assert run(mysql_session, "UPDATE accounts SET balance = 7 WHERE id = 2").affected == 1


def test_numbers_and_upserts(mysql_session) -> None:
    made = run(mysql_session, "INSERT INTO accounts (email) VALUES ('c'), ('d')")
    assert (made.affected, made.last_id) == (2, 3)
    upsert = "INSERT INTO accounts (email, balance) VALUES ('c', {}) ON DUPLICATE KEY UPDATE balance = VALUES(balance)"
    changed = run(mysql_session, upsert.format(5))
    assert (changed.affected, changed.last_id) == (2, 3)
    assert run(mysql_session, upsert.format(5)).affected == 0
    assert rows(mysql_session, "SELECT LAST_INSERT_ID()") == [(b"0",)]
    assert run(mysql_session, "INSERT IGNORE INTO accounts (email) VALUES ('c')").affected == 0
    assert run(mysql_session, "REPLACE INTO transfers (id, src) VALUES (1, 1)").affected == 1


def test_an_error_takes_back_its_statement_alone(mysql_session) -> None:
    run(mysql_session, "SET autocommit = 0")
    run(mysql_session, "INSERT INTO accounts (email) VALUES ('c')")
    assert fail(mysql_session, "INSERT INTO accounts (email) VALUES ('c')")[0] == 1062
    run(mysql_session, "INSERT INTO accounts (email) VALUES ('d')")
    run(mysql_session, "COMMIT")
    assert rows(mysql_session, "SELECT COUNT(*) FROM accounts") == [(b"4",)]
    run(mysql_session, "DELETE FROM accounts")
    run(mysql_session, "ROLLBACK")
    assert rows(mysql_session, "SELECT COUNT(*) FROM accounts") == [(b"4",)]


@pytest.mark.parametrize(
    ("sql", "number", "words"),
    [
        ("INSERT INTO accounts (email) VALUES ('a@x')", 1062, "Duplicate entry 'a@x' for key 'accounts_email_key'"),
        ("INSERT INTO accounts (email) VALUES (NULL)", 1048, "Column 'email' cannot be null"),
        ("INSERT INTO accounts (balance) VALUES (1)", 1364, "Field 'email' doesn't have a default value"),
        ("INSERT INTO accounts (email, balance) VALUES ('z', -1)", 4025, "CONSTRAINT `positive` failed"),
        ("INSERT INTO transfers (src) VALUES (9)", 1452, "REFERENCES `accounts` (`id`)"),
        ("INSERT INTO accounts (email) VALUES ('xxxxxxxxxxxxxxxxxxxxxxxxx')", 1406, "'email'"),
        ("INSERT INTO accounts (email, balance) VALUES ('z', 'abc')", 1366, "Incorrect decimal value: 'abc'"),
        ("INSERT INTO accounts (email, balance) VALUES ('z', 999999999)", 1264, "'balance'"),
        ("INSERT INTO accounts (email, mood) VALUES ('z', 'angry')", 1265, "'mood'"),
        ("INSERT INTO accounts (email, created) VALUES ('z', '2024-02-30')", 1292, "Incorrect datetime value"),
        ("SELECT nope FROM accounts", 1054, "Unknown column 'nope'"),
        ("SELECT * FROM nowhere", 1146, "Table 'bank.nowhere' doesn't exist"),
        ("SELECT id FROM accounts WHERE id = (1, 2)", 1241, "Operand should contain 1 column(s)"),
        ("SELECT id FROM accounts WHERE id IN ()", 1064, "syntax"),
        ("SELEC 1", 1064, "near 'SELEC'"),
        ("SELECT email REGEXP 'a' FROM accounts", 1235, "regexp_like"),
        ("ROLLBACK TO nowhere", 1305, "SAVEPOINT nowhere does not exist"),
        ("DROP TABLE accounts", 1235, "DROP"),
        ("CREATE TABLE IF NOT EXISTS nowhere (a int)", 1235, "CREATE"),
        ("UPDATE accounts a JOIN transfers t ON t.src = a.id SET a.balance = 1", 1235, "join"),
        ("SET time_zone = 'Europe/Oslo'", 1235, "UTC"),
    ],
)  # fmt: skip
def test_errors_have_their_numbers(mysql_session, sql: str, number: int, words: str) -> None:
    found = fail(mysql_session, sql)
    assert found[0] == number
    assert words in found[1]


def test_values_of_an_update_are_read_where_there_are_rows(mysql_session) -> None:
    assert run(mysql_session, "UPDATE accounts SET balance = 'abc' WHERE id = 99").affected == 0
    assert fail(mysql_session, "UPDATE accounts SET balance = 'abc' WHERE id = 1")[0] == 1366


def test_names_have_any_case_and_expressions_their_text(mysql_session) -> None:
    answer = run(
        mysql_session, "SELECT ID, Email AS E, COUNT(*), 1+1, 'x' FROM accounts WHERE iD = 1"
    )
    assert [name for name, _kind in answer.columns] == ["ID", "E", "COUNT(*)", "1+1", "x"]


def test_texts_compare_as_numbers(mysql_session) -> None:
    assert rows(mysql_session, "SELECT id FROM accounts WHERE id = '1abc'") == [(b"1",)]
    assert rows(mysql_session, "SELECT '3' = 3.0, 7 / 2, 7 DIV 2, 1 / 0, 1 + '2'") == [
        (b"1", b"3.5000", b"3", None, b"3")
    ]


def test_moments(mysql_session) -> None:
    sql = "SELECT created + INTERVAL 90 MINUTE, DATE(created), DATE_FORMAT(created, '%d.%m.%Y'), YEAR(created) FROM accounts WHERE id = 1"
    assert rows(mysql_session, sql) == [
        (b"2024-01-01 01:30:00", b"2024-01-01", b"01.01.2024", b"2024")
    ]


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (Kind("float8"), 1e100, b"1e100"), (Kind("float8"), 1.0, b"1"), (Kind("bool"), 1, b"1"),
        (Kind("numeric", scale=2), 1.5, b"1.50"), (Kind("bytea"), b"\0\xff", b"\0\xff"),
        (Kind("timestamp", scale=0), "2024-01-02 03:04:05.600000", b"2024-01-02 03:04:05"),
        (Kind("timestamp", scale=3), "2024-01-02 03:04:05.600000", b"2024-01-02 03:04:05.600"),
        (Kind("time", scale=0), "03:04:05.000000", b"03:04:05"), (Kind("text"), None, None),
        (Kind("int2", form="year"), 5, b"0005"), (Kind("date"), "2024-01-02", b"2024-01-02"),
    ],
)  # fmt: skip
def test_values_as_the_text_protocol_has_them(
    kind: Kind, value: object, written: bytes | None
) -> None:
    assert write_value(kind, value) == written
    assert find_type(kind).code in range(256)


@pytest.mark.parametrize("number", [0, 250, 251, 65535, 65536, 1 << 24, 1 << 40])
def test_numbers_of_any_length(number: int) -> None:
    assert read_number(pack_number(number) + b"rest") == (number, b"rest")


def test_the_talk_of_a_driver(mysql_session) -> None:
    backend = MysqlBackend(lambda _options, _found: mysql_session)
    assert backend.outgoing[4] == 10
    backend.outgoing.clear()
    login = (0x0000A285).to_bytes(4, "little") + b"\0" * 28 + b"me\0\0"
    packet(backend, login, 1)
    assert backend.outgoing[4] == 0
    backend.outgoing.clear()
    packet(backend, b"\x03SELECT email FROM accounts WHERE id = 1", 0)
    assert b"\x03a@x" in backend.outgoing
    backend.outgoing.clear()
    packet(backend, b"\x03SELECT nope FROM accounts", 0)
    assert (backend.outgoing[4], int.from_bytes(backend.outgoing[5:7], "little")) == (255, 1054)
    backend.outgoing.clear()
    packet(backend, b"\x16SELECT 1", 0)  # COM_STMT_PREPARE
    assert backend.outgoing[4] == 255
    packet(backend, b"\x01", 0)
    assert backend.closed


def packet(backend: MysqlBackend, body: bytes, sequence: int) -> None:
    backend.feed(len(body).to_bytes(3, "little") + bytes((sequence,)) + body)


@pytest.mark.parametrize("seed", range(30))
def test_garbage_is_answered_by_errors_alone(mysql_session, seed: int) -> None:
    backend = MysqlBackend(lambda _options, _found: mysql_session)
    rng = random.Random(seed)
    if seed % 2:
        packet(backend, (0x0000A285).to_bytes(4, "little") + b"\0" * 28 + b"me\0\0", 1)
    for _ in range(20):
        if backend.closed:
            return
        backend.outgoing.clear()
        packet(
            backend,
            rng.choice([b"\x03", b"\x02", b"\x0e", b""]) + rng.randbytes(rng.randrange(20)),
            0,
        )
        assert backend.outgoing or backend.closed
