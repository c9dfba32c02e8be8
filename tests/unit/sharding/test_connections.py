"""Connections of a sharded database: each request works on its own shard, whoever opened them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pytest

from edgelift.worker import sqlite3 as driver
from edgelift.worker.sharding.choice import carry, choose, read_choice
from edgelift.worker.sqlite3 import registry
from edgelift.worker.sqlite3.shard_rules import ShardError
from tests.unit.sharding.files import PATH, FileTransport, install, request


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileTransport]:
    yield install(tmp_path)
    registry.configure([])


def add(connection, tenant: str, note: str) -> int:
    cursor = connection.execute("INSERT INTO account (tenant, note) VALUES (?, ?)", (tenant, note))
    connection.commit()
    return cursor.lastrowid


def notes(connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT note FROM account ORDER BY id")]


def test_a_connection_that_is_handed_on_shows_the_next_ones_shard(files: FileTransport) -> None:
    with request(1, "main-0"):
        connection = driver.connect(PATH)
        add(connection, "a", "first")
    with request(2, "main-1"):
        assert notes(connection) == []
        add(connection, "c", "second")
    with request(3, "main-0"):
        assert notes(connection) == ["first"]
    assert files.rows("DB_1", "SELECT tenant, note FROM account") == [("c", "second")]
    assert files.rows("DB_2", "SELECT * FROM account") == []


def test_two_requests_at_once_have_transactions_of_their_own(files: FileTransport) -> None:
    connection = driver.connect(PATH)
    with request(1, "main-0"):
        connection.execute("BEGIN")
        with request(2, "main-1"):
            assert not connection.in_transaction
            add(connection, "c", "other")
        assert connection.in_transaction
        assert notes(connection) == []
        connection.commit()


def test_books_that_a_request_left_open_are_closed_for_the_next_one(files: FileTransport) -> None:
    connection = driver.connect(PATH)
    with request(1, "main-0"):
        connection.execute("BEGIN")
    with request(2, "main-0"):
        assert not connection.in_transaction


def test_a_uri_still_names_a_shard(files: FileTransport) -> None:
    connection = driver.connect(f"file:{PATH}?shard=main-2", uri=True)
    connection.execute("INSERT INTO entry (account, amount) VALUES (1, 2)")
    assert files.rows("DB_2", "SELECT account, amount FROM entry") == [(1, 2)]


def test_a_shard_that_the_app_names_has_the_numbers_of_all(files: FileTransport) -> None:
    named = driver.connect(f"file:{PATH}?shard=main-1", uri=True)
    with request(1, "main-0"):
        routed = driver.connect(PATH)
        made = [add(named, "c", "x"), add(routed, "a", "x"), add(named, "c", "x")]
        assert made == [101, 102, 103]
        with pytest.raises(ShardError, match="lies as a whole"):
            named.execute("DELETE FROM country")
    with pytest.raises(driver.OperationalError, match="no shard 'main-9'"):
        driver.connect(f"file:{PATH}?shard=main-9", uri=True)


@pytest.mark.parametrize(
    ("sql", "values", "owner"),
    [
        ("INSERT INTO account (tenant) VALUES (?)", ("c",), "main-1"),
        ("INSERT INTO account (tenant) VALUES ('a'), ('d')", (), "main-2"),
        ("INSERT INTO account VALUES (NULL, 'c', 'x')", (), "main-1"),
        ("INSERT INTO account VALUES (?, ?, ?)", (None, "c", "x"), "main-1"),
        ("REPLACE INTO Account (note, TENANT) VALUES ('a', 'c')", (), "main-1"),
        ("UPDATE account SET note = 'x', tenant = ?", ("d",), "main-2"),
        ("UPDATE account SET tenant = 'd' WHERE tenant = 'a' RETURNING id", (), "main-2"),
        ("INSERT INTO account (tenant) VALUES ('nobody')", (), "main-1"),
    ],
)
def test_a_row_of_another_shard_is_refused(
    files: FileTransport, sql: str, values: tuple, owner: str
) -> None:
    with request(1, "main-0"):
        connection = driver.connect(PATH)
        with pytest.raises(ShardError, match=f"belongs to the shard {owner}, but the request"):
            connection.execute(sql, values)
        connection.rollback()
    assert files.rows("DB_0", "SELECT * FROM account") == []


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("INSERT INTO account (tenant, note) VALUES (?, ?)", ("b", "c")),
        ("INSERT INTO account (tenant) SELECT 'c'", ()),
        ("INSERT INTO account (tenant) VALUES (lower('C'))", ()),
        ("INSERT INTO entry (account) VALUES (7)", ()),
        ("UPDATE account SET tenant = tenant || ''", ()),
        ("UPDATE account SET note = 'c' WHERE tenant = 'c'", ()),
    ],
)
def test_rows_of_the_shard_and_computed_keys_pass(
    files: FileTransport, sql: str, values: tuple
) -> None:
    with request(1, "main-0"):
        connection = driver.connect(PATH)
        connection.execute(sql, values)
        connection.commit()


def test_without_a_shard_only_what_all_hold_is_read(files: FileTransport) -> None:
    connection = driver.connect(PATH)
    assert connection.execute("SELECT name FROM country WHERE code = 'fr'").fetchall() == [
        ("France",)
    ]
    names = [row[1] for row in connection.execute("PRAGMA table_info(account)")]
    assert names == ["id", "tenant", "note"]
    found = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'account'")
    assert found.fetchone() == (1,)
    with request(1, ""):
        assert connection.execute("SELECT count(*) FROM country").fetchone() == (2,)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM account", "account is split by tenant: it has no key"),
        ("SELECT 1 FROM country, Entry", "entry is split by tenant"),
        ("SELECT amount FROM totals", "totals is split by tenant"),
        ("SELECT * FROM 'account'", "account is split"),
        ('WITH x AS (SELECT * FROM "account") SELECT * FROM x', "account is split"),
        ("SELECT (SELECT count(*) FROM [account]) FROM country", "account is split"),
        ("INSERT INTO account (tenant) VALUES ('a')", "account is split"),
        ("DELETE FROM country", "country lies as a whole in every shard"),
        ("UPDATE sqlite_sequence SET seq = 1", "nothing is written without a shard"),
        ("CREATE TABLE other (id)", "CREATE would change the schema"),
    ],
)  # fmt: skip
def test_without_a_shard_nothing_else_is_done(files: FileTransport, sql: str, words: str) -> None:
    connection = driver.connect(PATH)
    with request(1, ""), pytest.raises(ShardError, match=words):
        connection.execute(sql)
    asked = [binding for binding, text in files.sent if "table_xinfo" not in text]
    assert asked == []


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("INSERT INTO country VALUES ('it', 'Italy')", "country lies as a whole in every shard"),
        ("REPLACE INTO Country VALUES ('it', 'Italy')", "lies as a whole"),
        ("/* x */ UPDATE \"country\" SET name = ''", "lies as a whole"),
        ("WITH x AS (SELECT 1) DELETE FROM main.country", "lies as a whole"),
        ("UPDATE OR IGNORE country SET name = ''", "lies as a whole"),
        ("ALTER TABLE account ADD COLUMN x", "ALTER would change the schema of one shard"),
        ("DROP TABLE account", "DROP would change the schema"),
        ("CREATE INDEX i ON account (tenant)", "CREATE would change the schema"),
    ],
)
def test_a_shard_alone_is_not_changed(files: FileTransport, sql: str, words: str) -> None:
    before = [list(db.iterdump()) for db in files.files.values()]
    with request(1, "main-0"), pytest.raises(ShardError, match=words):
        driver.connect(PATH).execute(sql)
    assert [list(db.iterdump()) for db in files.files.values()] == before


def test_scripts_keep_the_rules_too(files: FileTransport) -> None:
    with request(1, "main-0"):
        connection = driver.connect(PATH)
        connection.executescript("INSERT INTO account (tenant) VALUES ('a'); SELECT 1;")
        with pytest.raises(ShardError, match="lies as a whole"):
            connection.executescript("SELECT 1; DELETE FROM country;")
    assert files.rows("DB_0", "SELECT id FROM account") == [(101,)]


def test_numbers_go_on_above_the_origins_and_are_never_given_twice(files: FileTransport) -> None:
    connection = driver.connect(PATH)
    made = []
    for number, (shard, tenant) in enumerate((("main-0", "a"), ("main-1", "c")) * 3):
        with request(number + 1, shard):
            made.append(add(connection, tenant, "x"))
    assert made == [101, 102, 103, 104, 105, 106]
    held = [
        files.rows(binding, "SELECT id FROM account ORDER BY id") for binding in ("DB_0", "DB_1")
    ]
    assert held == [[(101,), (103,), (105,)], [(102,), (104,), (106,)]]


def test_twin_without_counters_two_shards_give_the_same_number(tmp_path: Path) -> None:
    files = install(tmp_path, counters={})
    connection = driver.connect(PATH)
    with request(1, "main-0"):
        first = add(connection, "a", "x")
    with request(2, "main-1"):
        second = add(connection, "c", "x")
    registry.configure([])
    assert first == second
    assert files.rows("DB_0", "SELECT id FROM account") == files.rows(
        "DB_1", "SELECT id FROM account"
    )


def test_a_refused_row_uses_its_number_up_as_in_a_sequence(files: FileTransport) -> None:
    with request(1, "main-0"):
        connection = driver.connect(PATH)
        with pytest.raises(driver.IntegrityError):
            connection.execute("INSERT INTO account (tenant) VALUES (NULL)")
        connection.rollback()
        assert add(connection, "a", "x") == 102


def test_returning_and_many_rows_have_their_numbers(files: FileTransport) -> None:
    with request(1, "main-0"):
        connection = driver.connect(PATH)
        sql = "INSERT INTO account (tenant, note) VALUES (?, ?), (?, ?) RETURNING id, note"
        assert connection.execute(sql, ("a", "x", "a", "y")).fetchall() == [(101, "x"), (102, "y")]
        many = [("a", str(n)) for n in range(5)]
        connection.executemany("INSERT INTO account (tenant, note) VALUES (?, ?)", many)
        connection.commit()
        copied = (
            "INSERT INTO account (tenant, note) SELECT tenant, note FROM account ORDER BY id DESC"
        )
        assert connection.execute(copied).rowcount == 7
        connection.execute("INSERT INTO entry DEFAULT VALUES")
    assert files.rows("DB_0", "SELECT max(id), count(*) FROM account") == [(114, 14)]
    assert files.rows("DB_0", "SELECT note FROM account WHERE id IN (108, 114)") == [("4",), ("x",)]
    assert files.rows("DB", "SELECT name, seq FROM sqlite_sequence") == [
        ("account", 114),
        ("entry", 501),
    ]


def test_the_apps_own_numbers_are_kept_and_not_given_out_again(files: FileTransport) -> None:
    connection = driver.connect(PATH)
    with request(1, "main-0"):
        connection.execute("INSERT INTO account VALUES (200, 'a', 'own'), (NULL, 'a', 'given')")
        connection.commit()
    with request(2, "main-1"):
        assert add(connection, "c", "x") == 201
    assert files.rows("DB_0", "SELECT id, note FROM account ORDER BY id") == [
        (101, "given"),
        (200, "own"),
    ]


def test_what_is_handed_to_a_pool_of_threads_keeps_its_shard(files: FileTransport) -> None:
    connection = driver.connect(PATH)
    with request(1, "main-1"):
        add(connection, "c", "mine")
        kept = carry(lambda: notes(connection))
    with request(2, "main-0"):
        assert kept() == ["mine"]
        assert notes(connection) == []
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(kept).result() == ["mine"]


def test_a_thread_of_the_apps_own_has_no_shard(files: FileTransport) -> None:
    seen = []
    with request(1, "main-1"):
        thread = threading.Thread(target=lambda: seen.append(read_choice()))
        thread.start()
        thread.join()
        assert read_choice().shards == {"DB": "main-1"}
    assert seen[0].shards == {}
    assert "thread" in seen[0].reason


def test_a_task_that_outlives_its_request_has_no_shard_any_more(files: FileTransport) -> None:
    connection = driver.connect(PATH)
    with request(1, "main-1"):
        task = copy_context()
        assert task.run(notes, connection) == []
    with pytest.raises(ShardError, match="the request that this task was started for is over"):
        task.run(notes, connection)


def test_autocommit_off_opens_a_transaction_in_each_shard(files: FileTransport) -> None:
    connection = driver.connect(PATH)
    with request(1, "main-0"):
        connection.autocommit = False
    with request(2, "main-1"):
        connection.execute("SELECT 1")
        assert connection.in_transaction
        connection.rollback()
        assert connection.in_transaction


def test_choosing_outside_of_requests_lasts(files: FileTransport) -> None:
    """As scheduled jobs do: their flow is that of no request here."""
    connection = driver.connect(PATH)
    job = copy_context()
    job.run(choose, {"DB": "main-2"})
    job.run(add, connection, "d", "by a job")
    assert files.rows("DB_2", "SELECT note FROM account") == [("by a job",)]
    assert read_choice().shards == {}
