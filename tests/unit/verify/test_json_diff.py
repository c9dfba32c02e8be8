import json
from pathlib import Path

import pytest

from edgelift.stages.verify.formats import is_identifier, name_format
from edgelift.stages.verify.json_diff import JsonDiff

CASES = Path(__file__).parents[2] / "cases" / "verify"


@pytest.mark.parametrize(
    "case", json.loads((CASES / "json.json").read_text()), ids=lambda c: c["name"]
)
def test_each_difference_is_found_and_named(case):
    noise = set(case.get("noise", ()))
    diff = JsonDiff(case.get("tolerance", 0.0), noise.__contains__)
    deltas = diff.compare(case["origin"], case["target"])
    found = [f"{d.kind} {d.where}" for d in deltas if d.pattern not in noise]
    assert found == case["found"]
    if "note" in case:
        assert deltas[0].note == case["note"]


def test_the_forgiven_float_difference_is_told():
    diff = JsonDiff(1e-3)
    assert diff.compare([1.0, 2.0], [1.0, 2.0005]) == []
    assert diff.widest == pytest.approx(5e-4)


def test_not_a_number_equals_itself():
    assert JsonDiff().compare(float("nan"), float("nan")) == []


@pytest.mark.parametrize(("text", "form"), json.loads((CASES / "formats.json").read_text()).items())
def test_formats_of_texts(text, form):
    assert name_format(text) == form


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, "null"),
        (True, "boolean"),
        (7, "integer"),
        (1_700_000_000, "unix time"),
        (1_700_000_000_123, "unix time in ms"),
        (1_700_000_000.5, "unix time, fraction"),
        (0.5, "number with fraction"),
        ([], "list"),
        ({}, "object"),
    ],
)
def test_formats_of_other_values(value, form):
    assert name_format(value) == form


def test_identifiers_are_told_from_times_and_words():
    assert is_identifier("6b0cd4a8-0d0f-4d63-9d5c-1f1c7a9f9b11")
    assert not is_identifier("2024-05-01T10:00:00Z")
    assert not is_identifier("banana")
