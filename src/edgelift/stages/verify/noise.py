"""What the origin changes by itself: learned from two runs of it, narrow, applied to the target.

A mask belongs to a route and a place. It forgives another value there, never another format, and no
change of structure unless the origin changed its structure too. Declared rules (`parity.ignore`)
forgive everything at their place. Both count what they forgave, so that a wide mask is seen.
"""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edgelift.errors import UsageError
from edgelift.model.flows import Difference, NoiseMask, Reply, Request
from edgelift.stages.verify.compare import Comparison, Conditions, compare_replies
from edgelift.stages.verify.formats import is_identifier, name_format, show
from edgelift.stages.verify.json_diff import Delta
from edgelift.stages.verify.text_diff import build_template, parse_template

_STRUCTURE = frozenset({"length", "reordered", "lines", "not json"})
_LINES = frozenset({"line", "line missing", "line extra", "lines", "line ends"})
# Kinds that come and go together: a value that is sometimes null, a field that is sometimes absent.
_GROUPS = {
    "type": "value",
    "extra": "missing",
    "header extra": "header missing",
    "cookie extra": "cookie missing",
    "line extra": "lines",
    "line missing": "lines",
}


@dataclass(frozen=True)
class IgnoreRule:
    """One line of `parity.ignore`: a method, a route and a place, each a pattern with `*`."""

    text: str
    method: str
    rule: str
    place: str

    def matches(self, request: Request, pattern: str) -> bool:
        """Return whether the rule covers a place in the reply to a request, or what holds it."""
        if not fnmatch.fnmatchcase(request.method, self.method):
            return False
        if not any(fnmatch.fnmatchcase(p, _plain(self.rule)) for p in (request.rule, request.path)):
            return False
        wanted = _plain(self.place)
        parts = [pattern, *_ancestors(pattern)]
        return any(
            fnmatch.fnmatchcase(part, wanted) or fnmatch.fnmatchcase(part, f"body.{wanted}")
            for part in parts
        )


def _plain(pattern: str) -> str:
    """Return a pattern in which only `*` and `?` are special, as JSON paths hold brackets."""
    return pattern.replace("[", "[[]")


def parse_ignore(lines: Iterable[str]) -> list[IgnoreRule]:
    """Return the declared rules; raises UsageError for one that has not three parts."""
    rules = []
    for line in lines:
        parts = line.split(maxsplit=2)
        if len(parts) != 3:
            raise UsageError(
                f"parity.ignore has a rule that cannot be read: {line!r}",
                why="it needs a method, a route and a place",
                tip="write for example: GET /api/stats body.refreshed_at",
            )
        rules.append(IgnoreRule(line, *parts))
    return rules


def _ancestors(pattern: str) -> list[str]:
    """Return the places that hold a place, nearest first: a[*].b -> a[*], a."""
    found: list[str] = []
    text = pattern
    while True:
        cut = max(text.rfind("."), text.rfind("["))
        if cut <= 0:
            return found
        text = text[:cut]
        found.append(text)


@dataclass
class Noise:
    """All masks of a project by route and place; `learn` widens them, `covers` asks them."""

    masks: dict[tuple[str, str], NoiseMask] = field(default_factory=dict)

    def learn(self, request: Request, position: str, first: Reply, second: Reply) -> int:
        """Learn from two replies of the origin itself; returns how many places differ."""
        known = Conditions(is_noise=lambda pattern: self.hides(request.route, pattern))
        comparison = compare_replies(request.method, first, second, known)
        for delta in comparison.deltas:
            self._add(self._route(request, delta, position), delta)
        return len(comparison.deltas)

    @staticmethod
    def _route(request: Request, delta: Delta, position: str) -> str:
        # A status that flickers hides a whole reply: it is believed for this one request only.
        return (
            f"{request.route} @{position}"
            if delta.kind in {"status", "no reply"}
            else request.route
        )

    def _add(self, route: str, delta: Delta) -> None:
        pattern = delta.pattern
        if delta.kind == "line":
            pattern = f"line: {build_template(str(delta.origin), str(delta.target)).text}"
        elif delta.kind in _LINES:
            pattern = "body lines"
        kind = _GROUPS.get(delta.kind, delta.kind)
        formats = {name_format(delta.origin), name_format(delta.target)}
        known = self.masks.get((route, pattern))
        if known is not None:
            formats |= set(known.formats)
        self.masks[route, pattern] = NoiseMask(
            route=route,
            pattern=pattern,
            kinds=tuple(sorted({kind, *(known.kinds if known else ())})),
            formats=tuple(sorted(formats)),
            seen=1 + (known.seen if known else 0),
        )

    def hides(self, route: str, pattern: str) -> bool:
        """Return whether a JSON place, or one that holds it, changes by itself."""
        if (route, pattern) in self.masks:
            return True
        return any(
            (mask := self.masks.get((route, part))) is not None and _STRUCTURE & set(mask.kinds)
            for part in _ancestors(pattern)
        )

    def touches(self, route: str, pattern: str) -> bool:
        """Return whether a mask lies at a place, above it or below it."""
        if pattern.startswith("line: "):
            line = pattern.removeprefix("line: ")
            return any(
                known == route
                and text.startswith("line: ")
                and parse_template(text.removeprefix("line: ")).fullmatch(line)
                for known, text in self.masks
            )
        return self.hides(route, pattern) or any(
            known == route and text.startswith((f"{pattern}.", f"{pattern}["))
            for known, text in self.masks
        )

    def find(self, request: Request, position: str, delta: Delta) -> NoiseMask | None:
        """Return the mask that speaks about a difference, None when the origin was steady there."""
        route = self._route(request, delta, position)
        if delta.kind in _LINES:
            whole = self.masks.get((route, "body lines"))
            return whole or self._find_line(route, delta)
        mask = self.masks.get((route, delta.pattern))
        if mask is not None and _GROUPS.get(delta.kind, delta.kind) in mask.kinds:
            return mask
        for part in _ancestors(delta.pattern):
            above = self.masks.get((route, part))
            if above is not None and _STRUCTURE & set(above.kinds):
                return above
        return None

    def _find_line(self, route: str, delta: Delta) -> NoiseMask | None:
        for (known, pattern), mask in self.masks.items():
            if known == route and pattern.startswith("line: "):
                expression = parse_template(pattern.removeprefix("line: "))
                if all(expression.fullmatch(str(v)) for v in (delta.origin, delta.target)):
                    return mask
        return None


@dataclass
class Judge:
    """Turns raw differences of one flow into what is reported, in the order of the requests."""

    flow: str
    noise: Noise
    rules: Sequence[IgnoreRule] = ()
    tolerance: float = 0.0
    static: tuple[str, ...] = ()
    forgiven: Counter[str] = field(default_factory=Counter)
    used_rules: set[str] = field(default_factory=set)
    widest: float = 0.0
    _given: dict[str, str] = field(default_factory=dict)
    _loose: set[str] = field(default_factory=set)

    def judge(
        self, position: int, request: Request, origin: Reply, target: Reply
    ) -> list[Difference]:
        """Return the differences of two replies that neither noise nor a declared rule explains."""
        comparison = self._compare(request, origin, target)
        self.widest = max(self.widest, comparison.widest)
        found = []
        if comparison.widest:
            self._loose.add(request.rule)
        for delta in comparison.deltas:
            rule = next((r for r in self.rules if r.matches(request, delta.pattern)), None)
            if rule is not None:
                self.forgiven["declared"] += 1
                self.used_rules.add(rule.text)
                self._loosen(request, delta)
                continue
            if request.method == "HEAD" and self._is_loose_length(request, delta):
                self.forgiven["noise"] += 1
                continue
            mask = self.noise.find(request, f"{self.flow}#{position}", delta)
            judged = delta if mask is None else self._check_masked(mask, delta)
            if judged is not None:
                found.append(self._report(position, request, judged))
            else:
                self._loosen(request, delta)
        return found

    def _loosen(self, request: Request, delta: Delta) -> None:
        if delta.path[0] == "body":
            self._loose.add(request.rule)

    def _is_loose_length(self, request: Request, delta: Delta) -> bool:
        """Return whether the length belongs to a body of which something was forgiven before."""
        return request.rule in self._loose and delta.pattern == "header.Content-Length"

    def covers(self, position: int, request: Request, pattern: str) -> bool:
        """Return whether noise or a declared rule speaks about a place of one reply."""
        if any(rule.matches(request, pattern) for rule in self.rules):
            return True
        if pattern == "status":
            return (f"{request.route} @{self.flow}#{position}", pattern) in self.noise.masks
        return self.noise.touches(request.route, pattern)

    def _compare(self, request: Request, origin: Reply, target: Reply) -> Comparison:
        static = request.method in {"GET", "HEAD"} and request.path.startswith(self.static)
        conditions = Conditions(
            self.tolerance, lambda pattern: self.noise.hides(request.route, pattern), static
        )
        return compare_replies(request.method, origin, target, conditions)

    def _check_masked(self, mask: NoiseMask, delta: Delta) -> Delta | None:
        """Return None when the mask explains the difference, else what is wrong all the same."""
        if delta.kind in {"value", "type", "header", "cookie"}:
            form = name_format(delta.target)
            if mask.pattern == delta.pattern and form not in mask.formats:
                note = f"format {', '.join(mask.formats)} != {form} ({show(delta.target)})"
                return Delta("format", delta.path, delta.origin, delta.target, note)
            if is_identifier(delta.origin):
                given = self._given.setdefault(str(delta.origin), str(delta.target))
                if given != str(delta.target):
                    note = (
                        f"{show(delta.origin)} was {show(given)} before, now {show(delta.target)}"
                    )
                    return Delta("identity", delta.path, delta.origin, delta.target, note)
        self.forgiven["noise"] += 1
        return None

    def _report(self, position: int, request: Request, delta: Delta) -> Difference:
        return Difference(
            flow=self.flow,
            position=position,
            request=request.label,
            route=request.route,
            kind=delta.kind,
            where=delta.where,
            pattern=delta.pattern,
            origin=show(delta.origin),
            target=show(delta.target),
            note=delta.note,
        )
