"""The container format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelift.errors import TargetError
from edgelift.targets.workerd.container import read_container, write_container

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(JSON, st.lists(st.binary(max_size=20), max_size=4))
def test_head_and_bytes_come_back(head: object, parts: list[bytes]) -> None:
    data = write_container(head, parts)
    found, body = read_container(data)
    assert found == head
    assert bytes(body) == b"".join(parts)
    assert (len(data) - len(body)) % 8 == 0


@pytest.mark.parametrize("data", [b"", b"\x01", b"\xff\0\0\0{}", b"\x02\0\0\0no!!"])
def test_damaged_data_is_a_target_error(data: bytes) -> None:
    with pytest.raises(TargetError, match="cannot be read"):
        read_container(data)
