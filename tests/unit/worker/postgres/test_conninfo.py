"""Connection strings are read as libpq reads them."""

from __future__ import annotations

import pytest

from edgelift.worker.postgres.conninfo import (
    ConninfoError,
    complete_conninfo,
    list_addresses,
    parse_conninfo,
    read_password,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("host=a port = 1", {"host": "a", "port": "1"}),
        (r"password='it\'s \\' user=x\ y", {"user": "x y", "password": "it's \\"}),
        ("postgres://", {}),
        ("postgresql:///db", {"dbname": "db"}),
        (
            "postgresql://u@[::1]:5/d%20b",
            {"user": "u", "host": "::1", "port": "5", "dbname": "d b"},
        ),
        ("postgresql://a:1,b:2/d", {"dbname": "d", "host": "a,b", "port": "1,2"}),
        ("postgresql://h/d?ssl=true", {"dbname": "d", "host": "h", "sslmode": "require"}),
        ("postgresql://%2Ftmp/d", {"dbname": "d", "host": "/tmp"}),
    ],
)
def test_what_a_string_sets(text, found) -> None:
    assert parse_conninfo(text) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nope", 'missing "="'),
        ("nope=1", 'invalid connection option "nope"'),
        ("host='a", "unterminated quoted string"),
        ("postgresql://h/d?nope=1", 'invalid URI query parameter: "nope"'),
        ("postgresql://h/d?host", "missing key/value separator"),
        ("postgresql://h/d?host=a=b", "extra key/value separator"),
        ("postgresql://%zz/d", "invalid percent-encoded token"),
        ("postgresql://h%00/d", "forbidden value %00"),
        ("postgresql://[::1/d", 'matching "]"'),
    ],
)
def test_malformed_strings_say_why(text, reason) -> None:
    with pytest.raises(ConninfoError, match=reason.replace("[", r"\[").replace("]", r"\]")):
        parse_conninfo(text)


def test_the_environment_fills_what_is_missing(monkeypatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGDATABASE", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGHOST", "db")
    monkeypatch.setenv("PGUSER", "me")
    found = complete_conninfo({"port": "7"})
    assert (found["host"], found["port"], found["user"], found["dbname"]) == ("db", "7", "me", "me")


def test_several_hosts() -> None:
    options = {"host": "a,b", "port": "1,2", "dbname": "d", "user": "u"}
    assert [(x.host, x.port) for x in list_addresses(options)] == [("a", 1), ("b", 2)]
    for wrong in (
        {"host": "a,b", "port": "1,2,3"},
        {"host": "a", "port": "x"},
        {"host": "a", "port": "0"},
    ):
        with pytest.raises(ConninfoError):
            list(list_addresses(wrong))


def test_the_password_file(tmp_path) -> None:
    path = tmp_path / "pgpass"
    path.write_text("# no\nother:*:*:*:wrong\nh:5:d\\:b:u:se\\:cret\n")
    options = {"passfile": str(path), "dbname": "d:b", "user": "u"}
    (address,) = list_addresses({"host": "h", "port": "5"})
    assert read_password(options, address) == "se:cret"
    assert read_password({**options, "user": "x"}, address) is None
