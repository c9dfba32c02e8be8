"""URLs of PostgreSQL as drivers write them."""

from __future__ import annotations

import pytest

from edgelift.errors import OriginError, UsageError
from edgelift.sources.postgres.connection import judge_version, to_address, to_word


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://h/d", {"host": "h", "dbname": "d"}),
        ("postgres://u:p@h:6000/d", {"user": "u", "password": "p", "host": "h", "port": "6000", "dbname": "d"}),
        ("postgresql+psycopg2://u:p@h/d", {"user": "u", "password": "p", "host": "h", "dbname": "d"}),
        ("postgresql://u:p@ss:w/rd#1?x@h/d", {"user": "u", "password": "p@ss:w/rd#1?x", "host": "h", "dbname": "d"}),
        ("postgresql://u:p%40%2F@h/d", {"user": "u", "password": "p@/", "host": "h", "dbname": "d"}),
        ("postgresql:///d?host=/run/pg", {"host": "/run/pg", "dbname": "d"}),
        ("postgresql://h/d?sslmode=verify-full&sslrootcert=/a b.pem", {"host": "h", "dbname": "d", "sslmode": "verify-full", "sslrootcert": "/a b.pem"}),
        ("postgresql+asyncpg://h/d?ssl=true", {"host": "h", "dbname": "d", "sslmode": "require"}),
        ("postgresql://h/d?application_name=x&pgbouncer=true&pool_size=5", {"host": "h", "dbname": "d", "application_name": "x"}),
        ("postgresql://[::1]:5/d", {"host": "::1", "port": "5", "dbname": "d"}),
        ("postgresql://a:1,b:2/d?target_session_attrs=read-write", {"host": "a,b", "port": "1,2", "dbname": "d", "target_session_attrs": "read-write"}),
    ],
)  # fmt: skip
def test_words_of_a_url(url: str, words: dict[str, str]) -> None:
    assert dict(to_address(url).words) == words


def test_an_address_does_not_show_its_password() -> None:
    address = to_address("postgresql://user:secret@host:5/base")
    assert "secret" not in repr(address)
    assert address.place == "the PostgreSQL database base at host:5"


def test_a_url_that_cannot_be_read_is_shown_without_its_password() -> None:
    with pytest.raises(UsageError) as caught:
        to_address("postgresql://user:secret@[::1/base")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "product", "words"),
    [
        (110022, "PostgreSQL 11.22", "too old"),
        (90624, "PostgreSQL 9.6.24", "too old"),
        (130000, "CockroachDB CCL v24.1", "is not PostgreSQL"),
        (80002, "Redshift 1.0", "is not PostgreSQL"),
    ],
)
def test_servers_that_are_not_read(number: int, product: str, words: str) -> None:
    with pytest.raises(OriginError) as caught:
        judge_version(number, product, "the PostgreSQL database x")
    assert words in str(caught.value)


def test_servers_that_are_read() -> None:
    judge_version(120000, "PostgreSQL 12.0", "x")
    judge_version(180000, "PostgreSQL 18.0 on x86_64", "x")


@pytest.mark.parametrize("text", ["0/0'", "a b", "", "x;y"])
def test_a_snapshot_is_a_word(text: str) -> None:
    with pytest.raises(OriginError):
        to_word(text)
    assert to_word("00000003-0000001B-1") == "00000003-0000001B-1"
