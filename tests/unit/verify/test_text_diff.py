import pytest

from edgelift.stages.verify.text_diff import (
    LONGEST_DIFF,
    build_template,
    compare_lines,
    parse_template,
)


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("at 10:00", "at 11:00", "at ⟨digits⟩:00"),
        ("at 2024-01-01T00:00:00Z.", "at 2025-02-02T01:01:01.5Z.", "at ⟨moment⟩."),
        ("<b>abc</b>", "<b>xyz</b>", "<b>⟨word⟩</b>"),
        ("a 1 b", "a 1 2 3 b", "a 1 ⟨any⟩b"),
        (
            "x 6b0cd4a8-0d0f-4d63-9d5c-1f1c7a9f9b11",
            "x 7b0cd4a8-0d0f-4d63-9d5c-1f1c7a9f9b12",
            "x ⟨uuid⟩",
        ),
    ],
)
def test_a_template_keeps_what_stays(first, second, text):
    template = build_template(first, second)
    assert template.text == text
    expression = parse_template(text)
    assert expression.fullmatch(first)
    assert expression.fullmatch(second)


def test_a_template_refuses_other_words_and_other_formats():
    expression = parse_template(build_template("made 10 times", "made 11 times").text)
    assert not expression.fullmatch("made ten times")
    assert not expression.fullmatch("sold 10 times")


def test_a_changed_line_among_moved_ones_is_named():
    found = compare_lines("a\nb\nc\nd\n", "a\nX\nc\n")
    assert [(d.kind, d.path[1]) for d in found] == [("line", "line 2"), ("line missing", "line 4")]


def test_very_long_texts_tell_their_counts():
    (delta,) = compare_lines("a\n" * (LONGEST_DIFF + 1), "b\n")
    assert delta.note == f"{LONGEST_DIFF + 1} lines != 1 lines"
