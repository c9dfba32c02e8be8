"""What the docs say about `--json` of follow is what it prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from edgelift.events import FollowLag
from edgelift.model.follow_state import FollowState

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "json.md"
SECTION = PAGE.read_text(encoding="utf-8").partition("## follow\n")[2]


def test_every_key_of_a_line_of_lag_is_told() -> None:
    line = FollowLag(
        stage="follow", database="shop", state="following", transactions=1, rows=2, lag=3,
        lag_unit="bytes", lag_s=0.5,
    )  # fmt: skip
    table = SECTION.partition("| key | holds |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    keys = [key for row in rows for key in re.findall(r"`(\w+)`", row)]
    assert keys == list(json.loads(msgspec.json.encode(line)))


@pytest.mark.parametrize("field", FollowState.__struct_fields__)
def test_every_key_of_a_followed_database_is_told(field: str) -> None:
    assert f"`{field}`" in SECTION.partition("Each entry of `follows`")[2]
