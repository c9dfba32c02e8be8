"""Stubs of native side modules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelift.targets.workerd.wasm import (
    KEY_SECTION,
    MAGIC,
    build_stub,
    decode_leb,
    encode_leb,
    module_key,
    read_dylink_section,
)


def side_module(dylink: bytes = b"\x01\x04\x10\x02\x00\x00", code: bytes = b"code" * 99) -> bytes:
    content = b"\x08dylink.0" + dylink
    return (
        MAGIC + b"\0" + encode_leb(len(content)) + content + b"\x0a" + encode_leb(len(code)) + code
    )


@given(st.integers(min_value=0, max_value=2**40), st.binary(max_size=3))
def test_leb_numbers_come_back(value: int, rest: bytes) -> None:
    encoded = encode_leb(value)
    assert decode_leb(encoded + rest, 0) == (value, len(encoded))


def test_a_stub_keeps_the_dylink_section_and_carries_the_key() -> None:
    module = side_module(bytes(range(200)))
    stub = build_stub(module)
    assert stub is not None
    assert read_dylink_section(stub) == read_dylink_section(module)
    assert stub.endswith(KEY_SECTION + module_key(module).encode())
    assert len(stub) < len(module)


def test_different_modules_with_the_same_section_have_different_stubs() -> None:
    assert build_stub(side_module(code=b"a")) != build_stub(side_module(code=b"b"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x7fELF" + bytes(64),
        MAGIC,
        MAGIC + b"\0",
        MAGIC + b"\0\xff",
        MAGIC + b"\x01\x04type",
        MAGIC + b"\0\x05\x04name",
        side_module()[:15],
    ],
    ids=["empty", "elf", "bare", "cut", "cut number", "other section", "other name", "cut section"],
)
def test_what_is_no_side_module_has_no_stub(data: bytes) -> None:
    assert build_stub(data) is None
