"""Users with limits, without rights, locked or expired: it moves all the same, or three lines say why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.model.findings import Status
from edgelift.model.mover_settings import SchemaSection
from edgelift.sources.origin_database import open_origin
from tests.contract.mover.moving import judge, read_plainly, read_target, start_moving
from tests.contract.mover.test_errors import SECRET, Origin, assert_three_lines, origin

__all__ = ["origin"]  # the fixture

ROLE = "limited"
# What a role, or the server for all, may have set; none of it may cut, end or change a copy.
SETTINGS = {
    "postgres": {
        "statement_timeout": "20s", "lock_timeout": "1ms", "idle_in_transaction_session_timeout": "20s",
        "idle_session_timeout": "20s", "default_transaction_isolation": "serializable",
        "search_path": "", "datestyle": "German", "bytea_output": "escape", "extra_float_digits": "-10",
        "standard_conforming_strings": "off", "client_encoding": "latin1", "enable_seqscan": "off",
        "transform_null_equals": "on", "quote_all_identifiers": "on", "timezone": "Asia/Kathmandu",
    },
    "mysql": {
        "max_statement_time": "20", "idle_transaction_timeout": "20", "wait_timeout": "20",
        "idle_readonly_transaction_timeout": "20", "lock_wait_timeout": "1", "sql_select_limit": "5",
        "sql_mode": "'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'", "time_zone": "'+05:45'",
        "group_concat_max_len": "4", "max_sort_length": "64", "autocommit": "0", "div_precision_increment": "0",
    },
}  # fmt: skip
# What holds in edgelift's own sessions instead.
OWN = {
    "postgres": {
        "statement_timeout": "1h", "lock_timeout": "30s", "idle_in_transaction_session_timeout": "0",
        "idle_session_timeout": "0", "timezone": "UTC", "extra_float_digits": "1",
    },
    "mysql": {
        "max_statement_time": "0.000000", "idle_transaction_timeout": "0", "sql_select_limit": str(2**64 - 1),
        "idle_readonly_transaction_timeout": "0", "time_zone": "+00:00", "sql_mode": "",
    },
}  # fmt: skip


@pytest.fixture
def strict(origin: Origin) -> Iterator[str]:
    """The URL of a user under whose settings nothing should be possible."""
    if origin.kind == "postgres":
        url = origin.make_user(ROLE, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}")
        for name, value in SETTINGS["postgres"].items():
            origin.server.run(f"ALTER ROLE {ROLE} SET {name} = '{value}'")
        yield url
        origin.server.run(f"DROP OWNED BY {ROLE}", origin.database)
        origin.server.run(f"DROP ROLE {ROLE}")
        return
    url = origin.make_user(ROLE, f"GRANT ALL ON `{origin.database}`.* TO {{user}}")
    names = SETTINGS["mysql"]
    listed = ", ".join(f"@@GLOBAL.{name}" for name in names)
    before = origin.server.execute(f"SELECT {listed}")[0]
    try:
        for name, value in names.items():
            origin.server.execute(f"SET GLOBAL {name} = {value}")
        yield url
    finally:
        with origin.server.connect(autocommit=True) as db, db.cursor() as cursor:
            for name, value in zip(names, before, strict=True):
                cursor.execute(f"SET GLOBAL {name} = %s", (value,))


def test_settings_of_a_role_or_server_do_not_hold(
    origin: Origin, strict: str, tmp_path: Path
) -> None:
    moving = start_moving(strict, tmp_path, chunk_rows=500)
    moving.copy()
    assert moving.prove(sample=1.0)["rows"].status is Status.PASS
    assert len(read_target(moving.part, "SELECT * FROM t")) == 2000
    query = "SELECT id, name FROM t LIMIT 4000"
    assert read_target(moving.part, query) == read_plainly(origin.url(), query)
    spec = moving.plan.tables[0].spec
    with open_origin(strict) as adapter:
        reader = adapter.open_snapshot()
        try:
            for name, value in OWN[origin.kind].items():
                asked = f"SHOW {name}" if origin.kind == "postgres" else f"SELECT @@{name}"
                assert reader.read_lines(spec, asked) == [(value,)], name
        finally:
            reader.close()


RIGHTS = {
    "postgres": {
        "a column": ("GRANT SELECT (id) ON t TO {user}", "table public.t", "exclude"),
        "a schema": (
            "CREATE SCHEMA inner_; CREATE TABLE inner_.w (id int); GRANT SELECT ON t TO {user}",
            "table inner_.w", "GRANT USAGE",
        ),
    },
    "mysql": {
        "a column": ("GRANT SELECT (id) ON t TO {user}", "`errors", "GRANT SELECT"),
    },
}  # fmt: skip


def test_rights_that_are_missing(origin: Origin) -> None:
    for number, (grant, place, tip) in enumerate(RIGHTS[origin.kind].values()):
        url = origin.make_user(f"half_blind_{number}", grant)
        with pytest.raises(OriginError) as caught:
            judge(url)
        assert not isinstance(caught.value, OriginUnavailable)
        assert_three_lines(caught.value, place, tip)
        assert "unnamed portal" not in str(caught.value)
        if origin.kind == "postgres":
            origin.server.run(f"DROP OWNED BY half_blind_{number}", origin.database)


def test_a_table_without_rights_is_left_out(make_database, request) -> None:
    """What the Tip says works: the user sees the table in the catalogue, but need not read it."""
    server = request.getfixturevalue("postgres_server")
    url = make_database(
        "CREATE TABLE t (id int); CREATE TABLE u (id int); INSERT INTO u VALUES (1)"
    )
    found = Origin("postgres", server, url.rpartition("/")[2])
    limited = found.make_user("one_table", "GRANT SELECT ON u TO {user}")
    judged = judge(limited, SchemaSection(exclude=("public.t",)))
    assert [move.spec.target for move in judged.plan.tables] == ["u"]
    server.run("DROP OWNED BY one_table", found.database)


CLOSED = {
    "postgres": [
        ("ALTER ROLE {user} VALID UNTIL '2001-01-01'", "refuses the password", ""),
        ("ALTER ROLE {user} NOLOGIN", "refuses the user", ""),
        ("ALTER ROLE {user} CONNECTION LIMIT 0", "no free connection", "max_connections"),
    ],
    "mysql": [
        ("ALTER USER {user}@'%' PASSWORD EXPIRE", "locked or has expired", "ALTER USER"),
        ("ALTER USER {user}@'%' ACCOUNT LOCK", "locked or has expired", "ACCOUNT UNLOCK"),
    ],
}


def test_a_closed_account(origin: Origin, monkeypatch) -> None:
    from edgelift.sources.mysql import connection as mysql
    from edgelift.sources.postgres import connection as postgres

    monkeypatch.setattr(postgres, "_FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(mysql, "PAUSES_S", ())
    for statement, said, tip in CLOSED[origin.kind]:
        grants = {"mysql": f"GRANT SELECT ON `{origin.database}`.* TO {{user}}"}
        url = origin.make_user("closed", grants.get(origin.kind, ""))
        run = origin.server.run if origin.kind == "postgres" else origin.server.execute
        run(statement.format(user="closed"))
        with pytest.raises(OriginError) as caught:
            judge(url)
        assert_three_lines(caught.value, said, tip)
        assert SECRET not in str(caught.value)
