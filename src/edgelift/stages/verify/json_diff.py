"""Differences of two JSON documents by path, strict about types (used by compare).

Python's parser keeps what a client can see: 1 and 1.0 differ, true is not 1, and an object keeps
the order of its keys. Lists are compared by position; a list with the same elements in another
order is one difference of kind `reordered`, a value that moved to another key one of `renamed`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from edgelift.stages.verify.formats import show

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Delta:
    """A difference before it is judged: `path` leads to it, the two values are as parsed."""

    kind: str
    path: Path
    origin: object
    target: object
    note: str = ""

    @property
    def where(self) -> str:
        """Return the path for people: `body.items[3].score`."""
        return format_path(self.path, exact=True)

    @property
    def pattern(self) -> str:
        """Return the path with `[*]` for positions: `body.items[*].score`."""
        return format_path(self.path, exact=False)


def format_path(path: Path, *, exact: bool) -> str:
    """Return a path as text; keys that are no plain names are quoted in brackets."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]" if exact else "[*]"
        elif step.startswith("line ") and step[5:].isdigit():
            text += f" {step}"
        elif step.replace("_", "a").replace("-", "a").isalnum():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


@dataclass
class JsonDiff:
    """Compares documents; `is_noise` says of a pattern whether its value changes by itself.

    `tolerance` is the absolute difference allowed between two floats; `widest` tells the largest
    difference that was forgiven.
    """

    tolerance: float = 0.0
    is_noise: Callable[[str], bool] = lambda _pattern: False
    widest: float = 0.0
    _found: list[Delta] = field(default_factory=list)

    def compare(self, origin: object, target: object, at: Path = ("body",)) -> list[Delta]:
        """Return the differences in document order; `at` is where the documents stand."""
        self._found = []
        self._walk(at, origin, target)
        return self._found

    def _add(self, kind: str, path: Path, origin: object, target: object, note: str = "") -> None:
        self._found.append(Delta(kind, path, origin, target, note))

    def _walk(self, path: Path, origin: object, target: object) -> None:
        if isinstance(origin, dict) and isinstance(target, dict):
            self._objects(path, origin, target)
        elif isinstance(origin, list) and isinstance(target, list):
            self._lists(path, origin, target)
        elif type(origin) is not type(target):
            self._add("type", path, origin, target)
        elif not self._same(origin, target):
            self._add("value", path, origin, target)

    def _same(self, origin: object, target: object) -> bool:
        if isinstance(origin, float) and isinstance(target, float):
            if repr(origin) == repr(target):
                return True
            gap = abs(origin - target)
            if self.tolerance and gap <= self.tolerance:
                self.widest = max(self.widest, gap)
                return True
            return False
        return origin == target

    def _objects(self, path: Path, origin: dict[str, object], target: dict[str, object]) -> None:
        missing = [key for key in origin if key not in target]
        extra = [key for key in target if key not in origin]
        for key in list(missing):
            twin = self._find_renamed((*path, key), origin[key], target, extra, len(missing))
            if twin is not None:
                missing.remove(key)
                extra.remove(twin)
                note = f"field renamed to {show(twin)}"
                self._add("renamed", (*path, key), origin[key], target[twin], note)
        for key in missing:
            self._add("missing", (*path, key), origin[key], "<missing>")
        for key in extra:
            self._add("extra", (*path, key), "<missing>", target[key])
        shared = [key for key in origin if key in target]
        if shared != [key for key in target if key in origin]:
            note = "keys in another order"
            self._add("key order", path, list(origin), list(target), note)
        for key in shared:
            self._walk((*path, key), origin[key], target[key])

    def _find_renamed(
        self, path: Path, value: object, target: dict[str, object], extra: list[str], missing: int
    ) -> str | None:
        if missing == len(extra) == 1 and type(value) is type(target[extra[0]]):
            return extra[0]
        if value in (None, True, False, 0, 1, "", [], {}):  # too common to prove a renaming
            return None
        wanted = self._canonical(path, value)
        return next((k for k in extra if self._canonical(path, target[k]) == wanted), None)

    def _lists(self, path: Path, origin: list[object], target: list[object]) -> None:
        if len(origin) != len(target):
            texts = self._read_texts(path, origin), self._read_texts(path, target)
            self._add("length", path, origin, target, _explain_length(*texts))
            return
        mark = len(self._found)
        for index, pair in enumerate(zip(origin, target, strict=True)):
            self._walk((*path, index), *pair)
        if all(self.is_noise(delta.pattern) for delta in self._found[mark:]):
            return
        origin_texts, target_texts = self._read_texts(path, origin), self._read_texts(path, target)
        if origin_texts != target_texts and Counter(origin_texts) == Counter(target_texts):
            del self._found[mark:]
            moved = [i for i, t in enumerate(origin_texts) if t != target_texts[i]]
            note = f"reordered list: same {len(origin)} elements, {len(moved)} at another place"
            self._add("reordered", path, origin, target, f"{note}, first at [{moved[0]}]")

    def _read_texts(self, path: Path, items: list[object]) -> list[str]:
        return [self._canonical((*path, 0), item) for item in items]

    def _canonical(self, path: Path, value: object) -> str:
        return json.dumps(self._strip(path, value), sort_keys=True)

    def _strip(self, path: Path, value: object) -> object:
        """Replace what is noise, and round floats, so that equal means equal here."""
        if self.is_noise(format_path(path, exact=False)):
            return "<noise>"
        if isinstance(value, dict):
            return {key: self._strip((*path, key), item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._strip((*path, 0), item) for item in value]
        if isinstance(value, float) and self.tolerance and value == value:  # noqa: PLR0124 - NaN
            return f"float {value:.9g}"
        return value


def _explain_length(origin: list[str], target: list[str]) -> str:
    note = f"{len(origin)} elements != {len(target)} elements"
    lost = list((Counter(origin) - Counter(target)).elements())
    gained = list((Counter(target) - Counter(origin)).elements())
    if len(lost) == 1 and not gained:
        return f"{note}, element [{origin.index(lost[0])}] is missing"
    if len(gained) == 1 and not lost:
        return f"{note}, element [{target.index(gained[0])}] is new"
    return note
