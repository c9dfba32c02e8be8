"""Upper and lower case beyond ASCII in plain SQL is that of the servers' towupper and towlower."""

from __future__ import annotations

import apsw
import pytest

from edgelift.worker.moved.letters import (
    fold_for,
    to_upper,
    write_lower,
    write_upper,
)

TEXTS = (
    "", "plain", "MiXed 123", "Émile Brûlé", "größe", "ŁUKASZ łódź", "ΣΊΣΥΦΟΣ σίσυφος", "Привет",
    "ǅ", "ŉ", "ÿ", "µ", "数字 ひらがな", "a🙂b", "it's", 'q"u', "İı", "ﬁ",
)  # fmt: skip


def ask(sql: str, *values: object) -> object:
    return apsw.Connection(":memory:").execute(f"SELECT {sql}", values).fetchall()[0][0]


@pytest.mark.parametrize("text", TEXTS)
def test_each_letter_by_itself(text: str) -> None:
    """Letters without a single counterpart stay as they are."""
    upper = "".join(u if len(u := c.upper()) == 1 and ord(c) < 0x2000 else c for c in text)
    lower = "".join(x if len(x := c.lower()) == 1 and ord(c) < 0x2000 else c for c in text)
    assert ask(write_upper("?"), text) == upper
    assert ask(write_lower("?"), text) == lower


@pytest.mark.parametrize("write", [write_upper, write_lower])
def test_nothing_stays_nothing(write) -> None:
    assert ask(write("?"), None) is None


@pytest.mark.parametrize("pattern", TEXTS)
@pytest.mark.parametrize("text", TEXTS)
def test_a_search_finds_what_the_upper_cases_hold(pattern: str, text: str) -> None:
    found = ask(f"INSTR(UPPER({fold_for(pattern, '?')}), ?) > 0", text, to_upper(pattern))
    whole = ask(f"INSTR({write_upper('?')}, {write_upper('?')}) > 0", text, pattern)
    assert found == whole


@pytest.mark.parametrize(
    ("text", "upper"), [("straße", "STRAßE"), ("ŉ", "ŉ"), ("é", "É"), ("ς", "Σ")]
)
def test_no_letter_becomes_two(text: str, upper: str) -> None:
    assert to_upper(text) == upper
