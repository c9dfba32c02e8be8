"""URLs of database servers, as apps write them."""

from __future__ import annotations

import pytest

from edgelift.model.server_url import find_engine, parse_server_url


@pytest.mark.parametrize(
    ("url", "engine"),
    [
        ("postgresql+psycopg2://h/d", "postgresql"),
        ("postgres://h/d", "postgresql"),
        ("mysql+pymysql://h/d", "mysql"),
        ("mariadb+mariadbconnector://h/d", "mysql"),
        ("sqlite:///x.db", None),
        ("mssql://h/d", None),
        ("instance/x.db", None),
    ],
)
def test_the_scheme_names_the_engine(url: str, engine: str | None) -> None:
    assert find_engine(url) == engine


def test_all_parts_are_read_and_written_again() -> None:
    text = "postgresql+psycopg2://us%20er:p%40ss%2F@db.example.com:6432/shop?application_name=a%20b"
    server = parse_server_url(text)
    assert server is not None
    assert (server.user, server.password, server.host, server.port, server.database) == (
        "us er", "p@ss/", "db.example.com", 6432, "shop",
    )  # fmt: skip
    assert server.reveal() == text.replace("a%20b", "a+b")
    assert server.with_parts(host="::1", port=1).startswith(
        "postgresql+psycopg2://us%20er:p%40ss%2F@[::1]:1/shop"
    )


def test_the_password_is_in_no_text_for_people() -> None:
    server = parse_server_url("mysql://root:secret@db/shop")
    assert "secret" not in f"{server!r} {server}"
    assert server is not None
    assert server.masked == "mysql://db:3306/shop"


def test_libpq_s_variables_fill_what_a_url_leaves_out() -> None:
    known = {"PGUSER": "me", "PGPASSWORD": "pw", "PGHOST": "far", "PGPORT": "7"}
    server = parse_server_url("postgresql:///shop", known)
    assert server is not None
    assert (server.user, server.password, server.address) == ("me", "pw", "far:7")
    assert parse_server_url("mysql:///shop", known).address == "127.0.0.1:3306"  # type: ignore[union-attr]


@pytest.mark.parametrize("url", ["postgresql://host", "mysql://host:port/d", "sqlite:///x.db"])
def test_what_is_no_server_s_database_is_none(url: str) -> None:
    assert parse_server_url(url) is None


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("?sslmode=require", True), ("?sslmode=prefer", False), ("?sslmode=disable", False),
        ("?ssl=true", True), ("?ssl_mode=REQUIRED", True), ("?ssl_ca=/ca.pem", True), ("", False),
    ],
)  # fmt: skip
def test_whether_tls_is_asked_for(options: str, wanted: bool) -> None:
    server = parse_server_url(f"postgresql://h/d{options}")
    assert server is not None
    assert server.needs_tls is wanted
    assert server.without_transport().options == ()
