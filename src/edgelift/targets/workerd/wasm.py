"""Native side modules: workerd takes them precompiled, Python's files hold stubs in their place.

A stub is the wasm header, the original `dylink.0` section (which Emscripten's loader reads from the
file) and a custom section whose name is the key under which js/wasm_lookup.mjs finds the module.
"""

from __future__ import annotations

import hashlib

MAGIC = b"\0asm\x01\0\0\0"
KEY_SECTION = b"edgelift:"
_DYLINK = b"\x08dylink.0"


def encode_leb(value: int) -> bytes:
    """Return an unsigned LEB128 number (WebAssembly core specification, 5.2.2)."""
    encoded = bytearray()
    while True:
        low, value = value & 0x7F, value >> 7
        encoded.append(low | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def decode_leb(data: bytes, offset: int) -> tuple[int, int]:
    """Return an unsigned LEB128 number and the offset behind it; raises IndexError at the end."""
    value = shift = 0
    while True:
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, offset


def read_dylink_section(data: bytes) -> bytes | None:
    """Return the `dylink.0` section with its header, or None when the file is no side module."""
    if not data.startswith(MAGIC) or len(data) < len(MAGIC) + 2 or data[len(MAGIC)] != 0:
        return None
    try:
        size, content = decode_leb(data, len(MAGIC) + 1)
    except IndexError:
        return None
    if data[content : content + len(_DYLINK)] != _DYLINK or content + size > len(data):
        return None
    return data[len(MAGIC) : content + size]


def module_key(data: bytes) -> str:
    """Return the key of a side module: 32 digits of the SHA-256 of its bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


def build_stub(data: bytes) -> bytes | None:
    """Return the stub of a side module, or None when the data is none."""
    section = read_dylink_section(data)
    if section is None:
        return None
    name = KEY_SECTION + module_key(data).encode()
    custom = encode_leb(len(name)) + name
    return MAGIC + section + b"\0" + encode_leb(len(custom)) + custom
