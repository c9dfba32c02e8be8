"""SCRAM-SHA-256 against the example of RFC 7677, and against servers that lie."""

from __future__ import annotations

import base64
import hashlib

import pytest

from edgelift.worker.postgres import scram

# RFC 7677, section 3.
NONCE = "rOprNGfwEbeRWgbNEkqO"
FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def client() -> scram.ScramClient:
    made = scram.ScramClient("pencil", NONCE)
    made._first = f"n=user,r={NONCE}"
    return made


def test_the_example_of_the_rfc() -> None:
    made = client()
    proof = made.build_final(FIRST)
    assert proof.endswith(b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    made.check_final(FINAL)


def test_key_stretching_without_openssl_is_the_same(monkeypatch) -> None:
    expected = scram.stretch_key(b"pencil", b"salt", 50)
    monkeypatch.delattr(hashlib, "pbkdf2_hmac")
    assert scram.stretch_key(b"pencil", b"salt", 50) == expected


@pytest.mark.parametrize(
    "first",
    [
        b"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        f"r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode(),
        b"r=rOprNGfwEbeRWgbNEkqOx,s=!,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999",
        b"",
    ],
)
def test_a_wrong_challenge_is_refused(first) -> None:
    with pytest.raises(scram.ScramError):
        client().build_final(first)


def test_a_server_that_does_not_know_the_password_is_refused() -> None:
    made = client()
    made.build_final(FIRST)
    wrong = base64.b64encode(bytes(32))
    for final in (b"v=" + wrong, b"e=invalid-proof", b"v=!", b""):
        with pytest.raises(scram.ScramError):
            made.check_final(final)


def test_passwords_are_prepared() -> None:
    assert scram.prepare_password("I\u00adX") == "IX"
    assert scram.prepare_password("\u2168") == "IX"
    assert scram.prepare_password("\u0007\u00e9") == "\u0007\u00e9"  # refused: as it is
    assert scram.prepare_password("\u0627\u0031") == "\u0627\u0031"
