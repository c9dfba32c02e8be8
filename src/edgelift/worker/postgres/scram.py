"""Passwords for PostgreSQL: SCRAM-SHA-256 (RFC 5802, RFC 7677) and its older MD5 form."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stringprep
import unicodedata
from typing import Any

MECHANISM = "SCRAM-SHA-256"
_ITERATION_CAP = 10_000_000


class ScramError(ValueError):
    """The server's part of the exchange is wrong, or it does not know the password."""


def prepare_password(password: str) -> str:
    """Return a password after SASLprep (RFC 4013), or as it is where that refuses it."""
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(c) else c for c in password if not stringprep.in_table_b1(c)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    refused = (
        stringprep.in_table_a1, stringprep.in_table_c12, stringprep.in_table_c21_c22,
        stringprep.in_table_c3, stringprep.in_table_c4, stringprep.in_table_c5,
        stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8,
        stringprep.in_table_c9,
    )  # fmt: skip
    if not normal or any(check(c) for c in normal for check in refused):
        return password  # as the server does with such passwords
    if any(stringprep.in_table_d1(c) for c in normal):
        ends = stringprep.in_table_d1(normal[0]) and stringprep.in_table_d1(normal[-1])
        if not ends or any(stringprep.in_table_d2(c) for c in normal):
            return password
    return normal


def stretch_key(password: bytes, salt: bytes, iterations: int) -> bytes:
    """Return PBKDF2-HMAC-SHA-256, with hashlib's where this Python has it."""
    derive: Any = getattr(hashlib, "pbkdf2_hmac", None)
    if derive is not None:
        return bytes(derive("sha256", password, salt, iterations))
    keyed = hmac.new(password, digestmod=hashlib.sha256)
    block = keyed.copy()
    block.update(salt + b"\0\0\0\1")
    last = block.digest()
    total = int.from_bytes(last, "big")
    for _ in range(iterations - 1):
        block = keyed.copy()
        block.update(last)
        last = block.digest()
        total ^= int.from_bytes(last, "big")
    return total.to_bytes(32, "big")


def hash_md5(user: str, password: str, salt: bytes) -> bytes:
    """Return the password as the `md5` method wants it."""
    inner = hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest()
    outer = hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest()
    return b"md5" + outer.encode()


class ScramClient:
    """One SCRAM-SHA-256 exchange without channel binding."""

    def __init__(self, password: str, nonce: str | None = None) -> None:
        self._password = prepare_password(password).encode()
        self._nonce = nonce or base64.b64encode(os.urandom(18)).decode()
        self._first = f"n=,r={self._nonce}"
        self._server_signature = b""

    def build_first(self) -> bytes:
        """Return the client's first message."""
        return f"n,,{self._first}".encode()

    def build_final(self, server_first: bytes) -> bytes:
        """Return the client's proof; raises ScramError for a wrong message of the server."""
        fields = _read_fields(server_first)
        try:
            nonce, salt = fields["r"], base64.b64decode(fields["s"], validate=True)
            iterations = int(fields["i"])
        except (KeyError, ValueError) as error:
            raise ScramError("malformed SCRAM message") from error
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise ScramError("invalid SCRAM response (nonce mismatch)")
        if not 0 < iterations <= _ITERATION_CAP:
            raise ScramError("malformed SCRAM message (invalid iteration count)")
        salted = stretch_key(self._password, salt, iterations)
        client_key = _sign(salted, b"Client Key")
        final = f"c=biws,r={nonce}"
        text = f"{self._first},{server_first.decode()},{final}".encode()
        signature = _sign(hashlib.sha256(client_key).digest(), text)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._server_signature = _sign(_sign(salted, b"Server Key"), text)
        return f"{final},p={base64.b64encode(proof).decode()}".encode()

    def check_final(self, server_final: bytes) -> None:
        """Raise ScramError unless the server has shown that it knows the password too."""
        fields = _read_fields(server_final)
        if "e" in fields:
            raise ScramError(f"error received from server in SCRAM exchange: {fields['e']}")
        try:
            signature = base64.b64decode(fields["v"], validate=True)
        except (KeyError, ValueError) as error:
            raise ScramError("malformed SCRAM message") from error
        if not hmac.compare_digest(signature, self._server_signature):
            raise ScramError("incorrect server signature")


def _sign(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def _read_fields(message: bytes) -> dict[str, str]:
    parts = message.decode("utf-8", "replace").split(",")
    return {part[0]: part[2:] for part in parts if part[1:2] == "="}


def build_verifier(password: str, salt: bytes, iterations: int = 4096) -> str:
    """Return what the server stores for a password (pg_authid.rolpassword)."""
    salted = stretch_key(prepare_password(password).encode(), salt, iterations)
    stored = hashlib.sha256(_sign(salted, b"Client Key")).digest()
    texts = [base64.b64encode(p).decode() for p in (salt, stored, _sign(salted, b"Server Key"))]
    return f"{MECHANISM}${iterations}:{texts[0]}${texts[1]}:{texts[2]}"


def hash_md5_verifier(user: str, password: str) -> bytes:
    """Return what the server stores for a password of the older method."""
    digest = hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest()
    return b"md5" + digest.encode()
