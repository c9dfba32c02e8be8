"""hashlib.pbkdf2_hmac and hashlib.scrypt through node:crypto.

Without it password hashes of werkzeug, passlib and Django fail with AttributeError: this Python has
no OpenSSL.
"""

from __future__ import annotations

import hashlib
from typing import Any

from edgelift.worker.host import from_buffer, read_host, to_javascript

# OpenSSL's EVP_PBE_scrypt takes 0 as this (crypto/evp/pbe_scrypt.c, SCRYPT_MAX_MEM).
_SCRYPT_MAXMEM = 32 * 1024 * 1024


def pbkdf2_hmac(
    hash_name: str, password: bytes, salt: bytes, iterations: int, dklen: int | None = None
) -> bytes:
    """Derive a key as hashlib.pbkdf2_hmac does; raises ValueError for digests that do not exist."""
    if not isinstance(hash_name, str):
        raise TypeError(f"expected a string for hash name, but got {type(hash_name)}")
    size = hashlib.new(hash_name).digest_size if dklen is None else dklen
    if iterations < 1:
        raise ValueError("iteration value must be greater than 0.")
    if size < 1:
        raise ValueError("key length must be greater than 0.")
    digest = hash_name.lower().replace("_", "-") if "sha3" in hash_name else hash_name.lower()
    secret, grain = (to_javascript(bytes(memoryview(part))) for part in (password, salt))
    return from_buffer(read_host().pbkdf2(digest, secret, grain, iterations, size))


def scrypt(
    password: bytes, *, salt: bytes, n: int, r: int, p: int, maxmem: int = 0, dklen: int = 64
) -> bytes:
    """Derive a key as hashlib.scrypt does; raises ValueError for parameters OpenSSL refuses."""
    if n < 2 or n & (n - 1):
        raise ValueError("n must be a power of 2.")
    limit = maxmem or _SCRYPT_MAXMEM
    if 128 * r * (n + p + 2) > limit:
        raise ValueError(
            f"Invalid parameter combination for n, r, p, maxmem: needs more than {limit}"
        )
    secret, grain = (to_javascript(bytes(memoryview(part))) for part in (password, salt))
    # Node counts 128*n*r only, with a strict "greater"; the check above is OpenSSL's.
    return from_buffer(read_host().scrypt(secret, grain, n, r, p, limit + 1, dklen))


def install() -> None:
    """Add the functions hashlib lacks."""
    hashes: Any = hashlib
    for name, function in (("pbkdf2_hmac", pbkdf2_hmac), ("scrypt", scrypt)):
        if not hasattr(hashes, name):
            setattr(hashes, name, function)
