"""Differences of two texts by line, and templates of lines that change by themselves."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from edgelift.stages.verify.json_diff import Delta

_MOMENT = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_KINDS = {
    "moment": _MOMENT,
    "uuid": _UUID,
    "digits": r"\d+",
    "word": r"\w+",
    "sign": r"\W",
    "any": r".*",
}
_WORDS = re.compile(rf"{_UUID}|{_MOMENT}|\w+|\W")
LONGEST_DIFF = 4000  # lines; beyond it only counts are told, as difflib's time grows quadratically


def compare_lines(origin: str, target: str) -> list[Delta]:
    """Return the lines that differ; with as many lines on both sides they are paired by number."""
    origin_lines, target_lines = origin.splitlines(), target.splitlines()
    if len(origin_lines) == len(target_lines):
        pairs = zip(origin_lines, target_lines, strict=True)
        found = [
            Delta("line", ("body", f"line {n}"), a, b)
            for n, (a, b) in enumerate(pairs, 1)
            if a != b
        ]
        return found or [Delta("line ends", ("body",), origin[-40:], target[-40:])]
    if max(len(origin_lines), len(target_lines)) > LONGEST_DIFF:
        note = f"{len(origin_lines)} lines != {len(target_lines)} lines"
        return [Delta("lines", ("body",), "", "", note)]
    return _align(origin_lines, target_lines)


def _align(origin: list[str], target: list[str]) -> list[Delta]:
    found = []
    matcher = difflib.SequenceMatcher(None, origin, target, autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            continue
        paired = min(a1 - a0, b1 - b0)
        found += [
            Delta("line", ("body", f"line {a0 + i + 1}"), origin[a0 + i], target[b0 + i])
            for i in range(paired)
        ]
        for i in range(a0 + paired, a1):
            found.append(Delta("line missing", ("body", f"line {i + 1}"), origin[i], "<missing>"))
        for i in range(b0 + paired, b1):
            found.append(Delta("line extra", ("body", f"line {a1 + 1}"), "<missing>", target[i]))
    return found


@dataclass(frozen=True)
class Template:
    """A line of which some words change by themselves: fixed words, None for changing ones."""

    words: tuple[str | None, ...]
    kinds: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return the line with `⟨digits⟩` and the like in place of the changing words."""
        changing = iter(self.kinds)
        return "".join(f"⟨{next(changing)}⟩" if w is None else w for w in self.words)


def _name_word(word: str) -> str:
    return next(kind for kind, form in _KINDS.items() if re.fullmatch(form, word, re.DOTALL))


def build_template(origin: str, target: str) -> Template:
    """Return the template of two states of one line."""
    first, second = _WORDS.findall(origin), _WORDS.findall(target)
    if len(first) == len(second):
        words = tuple(a if a == b else None for a, b in zip(first, second, strict=True))
        kinds = tuple(
            _name_word(a) if _name_word(a) == _name_word(b) else "word"
            for a, b in zip(first, second, strict=True)
            if a != b
        )
        return Template(words, kinds)
    start = 0
    while start < min(len(first), len(second)) and first[start] == second[start]:
        start += 1
    end = 0
    while end < min(len(first), len(second)) - start and first[-1 - end] == second[-1 - end]:
        end += 1
    return Template((*first[:start], None, *first[len(first) - end :]), ("any",))


def parse_template(text: str) -> re.Pattern[str]:
    """Return the expression for lines that a template's text allows."""
    parts = re.split(rf"⟨({'|'.join(_KINDS)})⟩", text)
    return re.compile(
        "".join(_KINDS[part] if i % 2 else re.escape(part) for i, part in enumerate(parts)),
        re.DOTALL,
    )
