"""URLs of MySQL: what they say of place, login, TLS and times, and what is wrong with them."""

from __future__ import annotations

import ssl

import pytest

from edgelift.errors import UsageError
from edgelift.sources.mysql.url import read_place


def test_a_whole_url() -> None:
    place = read_place("mysql+pymysql://us%40er:p%2Fw%3A%C3%BC@db.example:3307/na%2Fme")
    assert (place.host, place.port, place.user) == ("db.example", 3307, "us@er")
    assert (place.password, place.database) == ("p/w:ü", "na/me")
    assert place.build_arguments()["password"] == "p/w:ü".encode()
    assert str(place) == "db.example:3307"
    assert "p/w" not in repr(place)


def test_defaults() -> None:
    place = read_place("mysql://h/d")
    assert (place.port, place.user, place.password, place.tls) == (3306, "root", "", "preferred")
    assert "ssl" not in place.build_arguments()


def test_a_socket() -> None:
    place = read_place("mysql://u@localhost/d?unix_socket=/run/s.sock")
    assert place.build_arguments()["unix_socket"] == "/run/s.sock"
    assert str(place) == "/run/s.sock"


@pytest.mark.parametrize(
    ("options", "tls"),
    [
        ("", "preferred"),
        ("ssl-mode=REQUIRED", "required"),
        ("sslmode=verify-full", "verify-identity"),
        ("ssl_mode=VERIFY_CA", "verify-ca"),
        ("ssl-mode=DISABLED", "disabled"),
        ("ssl_disabled=true", "disabled"),
        ("ssl=true", "required"),
        ("ssl_ca=/x.pem", "verify-ca"),
        ("ssl_ca=/x.pem&ssl_check_hostname=true", "verify-identity"),
        ("ssl_verify_identity=true", "verify-identity"),
        ("ssl_cert=/x.pem", "required"),
    ],
)
def test_tls(options: str, tls: str) -> None:
    assert read_place(f"mysql://h/d?{options}").tls == tls


def test_tls_contexts_check_what_they_say() -> None:
    def context(mode: str) -> ssl.SSLContext:
        found: ssl.SSLContext = read_place(f"mysql://h/d?ssl-mode={mode}").build_arguments()["ssl"]
        return found

    assert context("required").verify_mode == ssl.CERT_NONE
    assert context("verify-ca").verify_mode == ssl.CERT_REQUIRED
    assert not context("verify-ca").check_hostname
    assert context("verify-identity").check_hostname
    assert read_place("mysql://h/d?ssl-mode=disabled").build_arguments()["ssl_disabled"]


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("mysql://h", "names no database"),
        ("mysql://h:port/d", "port"),
        ("mysql://h:99999/d", "port"),
        ("mysql://h/d?ssl-mode=maybe", "ssl-mode=maybe"),
        ("mysql://h/d?connect_timeout=soon", "connect_timeout=soon"),
    ],
)
def test_what_makes_no_sense_is_said(url: str, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_place(url)
    assert word in str(caught.value)
    assert caught.value.tip
