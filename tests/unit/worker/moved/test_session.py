"""Transactions, errors, settings and cursors of a session are PostgreSQL's."""

from __future__ import annotations

import pytest

from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.outputs import write_text


def run(session, sql: str):
    """Run a script as a simple query does and return the rows of its last statement, as texts."""
    rows = []
    statements = session.split(sql)
    for tokens in statements:
        try:
            outcome = session.run(session.prepare(tokens, ()), [], alone=len(statements) == 1)
        except ServerError:
            session.fail()
            raise
        kinds = [kind for _name, kind in outcome.columns or ()]
        rows = [tuple(map(write_text, kinds, row)) for row in outcome.rows]
    session.end_pipeline()
    return rows


def fail(session, sql: str) -> ServerError:
    with pytest.raises(ServerError) as caught:
        run(session, sql)
    return caught.value


def count(session) -> str:
    return run(session, "SELECT count(*) FROM accounts")[0][0]


def test_an_error_ends_the_work_of_a_transaction(session) -> None:
    run(session, "BEGIN")
    run(session, "INSERT INTO accounts (email) VALUES ('c@x')")
    assert fail(session, "INSERT INTO accounts (email) VALUES ('c@x')").sqlstate == "23505"
    assert fail(session, "SELECT 1").sqlstate == "25P02"
    assert session.commit() == "ROLLBACK"
    assert count(session) == "2"


def test_a_savepoint_saves_it(session) -> None:
    run(session, "BEGIN")
    run(session, "SAVEPOINT s")
    fail(session, "INSERT INTO accounts (email) VALUES ('a@x')")
    run(session, "ROLLBACK TO s")
    run(session, "INSERT INTO accounts (email) VALUES ('c@x')")
    run(session, "RELEASE s")
    run(session, "COMMIT")
    assert count(session) == "3"


def test_several_statements_are_one_transaction(session) -> None:
    script = (
        "INSERT INTO accounts (email) VALUES ('c@x'); INSERT INTO accounts (email) VALUES ('c@x')"
    )
    assert fail(session, script).sqlstate == "23505"
    assert count(session) == "2"
    assert session.transactions.status == "I"


def test_numbers_of_sequences_are_not_given_back(session) -> None:
    run(session, "BEGIN")
    run(session, "INSERT INTO accounts (email) VALUES ('c@x')")
    run(session, "ROLLBACK")
    fail(session, "INSERT INTO accounts (email) VALUES ('a@x')")
    assert run(session, "INSERT INTO accounts (email) VALUES ('d@x') RETURNING id") == [("5",)]


def test_now_stands_still_in_a_transaction(session) -> None:
    run(session, "BEGIN")
    first = run(session, "SELECT now()")
    assert run(session, "SELECT now(), current_timestamp = now()") == [(first[0][0], "t")]
    run(session, "COMMIT")


def test_what_only_reads_takes_nothing(session) -> None:
    run(session, "BEGIN")
    run(session, "SELECT * FROM accounts")
    assert not session.db.in_transaction
    run(session, "SELECT id FROM accounts FOR UPDATE")
    assert session.db.in_transaction
    run(session, "ROLLBACK")
    assert not session.db.in_transaction


def test_read_only_transactions_refuse_writes(session) -> None:
    run(session, "BEGIN READ ONLY")
    assert fail(session, "DELETE FROM transfers").sqlstate == "25006"
    run(session, "ROLLBACK")
    run(session, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    assert fail(session, "DELETE FROM transfers").sqlstate == "25006"


def test_a_transaction_that_the_object_has_ended_is_told(session) -> None:
    run(session, "BEGIN")
    run(session, "DELETE FROM transfers")
    session.db.execute("ROLLBACK")
    assert fail(session, "DELETE FROM transfers").sqlstate == "25P03"
    assert fail(session, "SELECT 1").sqlstate == "25P02"
    run(session, "ROLLBACK")
    assert count(session) == "2"


@pytest.mark.parametrize(
    ("sql", "state", "fields"),
    [
        ("INSERT INTO accounts (email) VALUES ('a@x')", "23505",
         {"n": "accounts_email_key", "t": "accounts", "D": "Key (email)=(a@x) already exists."}),
        ("INSERT INTO accounts (email, balance) VALUES ('z', -1)", "23514", {"n": "positive"}),
        ("INSERT INTO accounts (email) VALUES (NULL)", "23502", {"c": "email"}),
        ("INSERT INTO transfers (src) VALUES (9)", "23503",
         {"n": "transfers_src", "D": 'Key (src)=(9) is not present in table "accounts".'}),
        ("UPDATE accounts SET balance = balance + 99999999", "22003", {}),
        ("UPDATE accounts SET email = email || 'xxxxxxxxxxxxxxxxxxxxx'", "22001", {}),
        ("SELECT 1 / (id - id) FROM accounts", "22012", {}),
        ("SAVEPOINT s", "25P01", {}),
        ("FETCH 1 FROM c", "34000", {}),
        ("SHOW nothing", "42704", {}),
        ("SET TIME ZONE 'Europe/Oslo'", "22023", {}),
        ("CREATE TABLE other (a int)", "0A000", {}),
        ("CREATE TABLE IF NOT EXISTS other (a int)", "0A000", {}),
        ("LISTEN news", "0A000", {}),
        ("COPY accounts FROM '/tmp/x'", "0A000", {}),
        ("COPY accounts FROM STDIN WITH (FORMAT binary)", "0A000", {}),
        ("DECLARE c CURSOR FOR SELECT 1", "25P01", {}),
        ("VALUES (1), (1, 2)", "42601", {}),
        ("DROP TABLE accounts", "0A000", {}),
    ],
)  # fmt: skip
def test_errors_have_the_servers_state(session, sql: str, state: str, fields: dict) -> None:
    error = fail(session, sql)
    assert error.sqlstate == state
    assert fields.items() <= error.fields.items()


def test_a_parent_that_is_referred_to_stays(session) -> None:
    run(session, "INSERT INTO transfers (src) VALUES (1)")
    error = fail(session, "DELETE FROM accounts WHERE id = 1")
    assert (error.sqlstate, error.fields["n"], error.fields["t"]) == (
        "23503",
        "transfers_src",
        "transfers",
    )


def test_settings(session) -> None:
    run(session, "SET application_name TO 'one'")
    assert run(session, "SHOW application_name") == [("one",)]
    run(session, "BEGIN; SET LOCAL application_name = 'two'")
    assert run(session, "SELECT current_setting('application_name')") == [("two",)]
    run(session, "COMMIT")
    assert run(session, "SELECT current_setting('application_name')") == [("one",)]
    run(session, "RESET ALL")
    assert run(session, "SHOW application_name") == [("",)]
    assert run(session, "SHOW server_version_num") == [("150010",)]


def test_cursors(session) -> None:
    run(session, "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT id FROM accounts ORDER BY id")
    assert run(session, "FETCH NEXT FROM c") == [("1",)]
    assert run(session, "MOVE 1 IN c") == []
    assert run(session, "FETCH FORWARD ALL FROM c") == []
    assert run(session, "FETCH ABSOLUTE 2 FROM c") == [("2",)]
    assert fail(session, "FETCH BACKWARD 1 FROM c").sqlstate == "55000"
    run(session, "ROLLBACK; BEGIN")
    assert fail(session, "FETCH 1 FROM c").sqlstate == "34000"


def test_what_is_there_is_not_made_again(session) -> None:
    run(session, "CREATE TABLE IF NOT EXISTS accounts (id int)")
    assert [notice[1] for notice in session.notices] == ["42P07"]
    run(session, "CREATE INDEX IF NOT EXISTS transfers_by_src ON transfers (src)")


def test_a_commit_that_a_late_check_refuses(session) -> None:
    session.db.execute("PRAGMA defer_foreign_keys=ON")
    run(session, "BEGIN")
    session.transactions.prepare(writes=True, locks=False, counts=False, verb="INSERT")
    session.db.execute("PRAGMA defer_foreign_keys=ON")
    run(session, "INSERT INTO transfers (src) VALUES (77)")
    with pytest.raises(ServerError) as caught:
        session.commit()
    assert caught.value.sqlstate == "23503"
    assert run(session, "SELECT count(*) FROM transfers") == [("0",)]
