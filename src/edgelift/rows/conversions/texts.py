"""Ops of texts, bytes and addresses, and the two that make a UUID of an integer key."""

from __future__ import annotations

import hashlib
import re
import uuid

from edgelift.rows.conversions import Convert, Raw, RefusedValueError, Settings, Value, read_ascii
from edgelift.rows.conversions.numbers import INT_MAX, INT_MIN, read_int
from edgelift.rows.ops import PGCOPY, SQLITE

_UUID_TEXT = re.compile(
    r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII
)


def _decode(raw: Raw) -> str:
    if isinstance(raw, str):
        return raw
    if not isinstance(raw, bytes):
        raise RefusedValueError("is no text")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise RefusedValueError(f"is not UTF-8 from byte {error.start} on") from None


def make_text(settings: Settings, wire: str) -> Convert:
    """Return op `text`."""
    strip = settings["rtrim"] == "yes"

    def convert(raw: Raw) -> Value:
        if wire == SQLITE and not isinstance(raw, str):
            raise RefusedValueError("is no TEXT")
        text = _decode(raw)
        return text.rstrip(" ") if strip else text

    return convert


def make_char(_settings: Settings, _wire: str) -> Convert:
    """Return op `char`."""

    def convert(raw: Raw) -> Value:
        assert isinstance(raw, bytes)
        if len(raw) != 1 or raw[0] > 127:
            raise RefusedValueError("is no single ASCII character")
        return "" if raw == b"\0" else raw.decode()

    return convert


def make_jsonb(_settings: Settings, _wire: str) -> Convert:
    """Return op `jsonb`."""

    def convert(raw: Raw) -> Value:
        assert isinstance(raw, bytes)
        if raw[:1] != b"\1":
            raise RefusedValueError("is a jsonb of another version than 1")
        return _decode(raw[1:])

    return convert


def make_blob(_settings: Settings, _wire: str) -> Convert:
    """Return op `blob`."""

    def convert(raw: Raw) -> Value:
        if not isinstance(raw, bytes):
            raise RefusedValueError("is no BLOB")
        return raw

    return convert


def make_wkb(settings: Settings, _wire: str) -> Convert:
    """Return op `wkb`."""
    srid = int(settings["srid"])

    def convert(raw: Raw) -> Value:
        assert isinstance(raw, bytes)
        if len(raw) < 9:
            raise RefusedValueError("is no geometry")
        found = int.from_bytes(raw[:4], "little")
        if found != srid:
            raise RefusedValueError(f"has the SRID {found}, not {srid}")
        return raw[4:]

    return convert


def make_keep(_settings: Settings, _wire: str) -> Convert:
    """Return op `keep`."""
    return lambda raw: raw


def _write_uuid(packed: bytes, style: str) -> Value:
    if style == "blob":
        return packed
    text = packed.hex()
    if style == "hex":
        return text
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def make_uuid(settings: Settings, wire: str) -> Convert:
    """Return op `uuid`."""
    style = settings["style"]

    def convert(raw: Raw) -> Value:
        if isinstance(raw, bytes) and len(raw) == 16:
            return _write_uuid(raw, style)
        if wire == PGCOPY or (wire == SQLITE and not isinstance(raw, str)):
            raise RefusedValueError("is no UUID")
        text = read_ascii(raw)
        if not _UUID_TEXT.fullmatch(text):
            raise RefusedValueError("is no UUID")
        return _write_uuid(bytes.fromhex(text.replace("-", "")), style)

    return convert


def make_uuid5(settings: Settings, wire: str) -> Convert:
    """Return op `uuid5`: RFC 9562, section 5.5."""
    namespace = uuid.UUID(settings["namespace"]).bytes
    style = settings["style"]

    def convert(raw: Raw) -> Value:
        key = read_int(raw, wire)
        if not INT_MIN <= key <= INT_MAX:
            raise RefusedValueError("is outside 64 bits")
        digest = hashlib.sha1(namespace + b"%d" % key).digest()  # noqa: S324 - the RFC's hash
        packed = bytearray(digest[:16])
        packed[6] = packed[6] & 0x0F | 0x50
        packed[8] = packed[8] & 0x3F | 0x80
        return _write_uuid(bytes(packed), style)

    return convert


def make_uuid7(settings: Settings, wire: str) -> Convert:
    """Return op `uuid7`: the layout of RFC 9562, section 5.7, filled from the key."""
    namespace = uuid.UUID(settings["namespace"]).bytes
    base, style = int(settings["base"]), settings["style"]

    def convert(raw: Raw) -> Value:
        key = read_int(raw, wire)
        milliseconds = base + (key >> 12)
        if not 0 <= key < 2**60:
            raise RefusedValueError("is outside 0 ... 2^60-1")
        if milliseconds >= 2**48:
            raise RefusedValueError("is beyond the last millisecond of a UUIDv7")
        digest = hashlib.sha1(namespace + b"%d" % key).digest()  # noqa: S324 - spreads, hides nothing
        random = int.from_bytes(digest[:8], "big") >> 2
        number = milliseconds << 80 | 0x7000 << 64 | (key & 4095) << 64 | 0b10 << 62 | random
        return _write_uuid(number.to_bytes(16, "big"), style)

    return convert


def _write_ipv6(packed: bytes) -> str:
    """Return an address as PostgreSQL prints it: the longest run of zeros as `::`."""
    words = [int.from_bytes(packed[i : i + 2], "big") for i in range(0, 16, 2)]
    start, length = -1, 1  # a single zero is no run
    at = 0
    while at < 8:
        run = 0
        while at + run < 8 and words[at + run] == 0:
            run += 1
        if run > length:
            start, length = at, run
        at += run or 1
    if start < 0:
        return ":".join(f"{word:x}" for word in words)
    mapped = length == 6 or (length == 5 and words[5] == 0xFFFF)
    if start == 0 and mapped:
        tail = [f"{word:x}" for word in words[length:6]]
        return "::" + ":".join([*tail, ".".join(str(byte) for byte in packed[12:])])
    head = ":".join(f"{word:x}" for word in words[:start])
    return f"{head}::" + ":".join(f"{word:x}" for word in words[start + length :])


def make_inet(_settings: Settings, _wire: str) -> Convert:
    """Return op `inet`: family, bits, is_cidr, length, address."""

    def convert(raw: Raw) -> Value:
        assert isinstance(raw, bytes)
        size = {2: 4, 3: 16}.get(raw[0]) if raw else None
        if size is None or len(raw) != 4 + size or raw[3] != size or raw[1] > size * 8:
            raise RefusedValueError("is a malformed network address")
        packed = raw[4:]
        text = ".".join(str(byte) for byte in packed) if size == 4 else _write_ipv6(packed)
        return text if raw[1] == size * 8 and not raw[2] else f"{text}/{raw[1]}"

    return convert


def make_macaddr(_settings: Settings, _wire: str) -> Convert:
    """Return op `macaddr`."""

    def convert(raw: Raw) -> Value:
        assert isinstance(raw, bytes)
        if len(raw) not in {6, 8}:
            raise RefusedValueError(f"has {len(raw)} bytes, a MAC address has 6 or 8")
        return raw.hex(":")

    return convert
