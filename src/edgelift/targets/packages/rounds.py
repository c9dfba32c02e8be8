"""The rounds of one resolution: ask pip, mend what it misses, ask again; used by resolve.py."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from edgelift.errors import TargetError
from edgelift.model.findings import Finding, Level
from edgelift.model.plan import PackagePlan
from edgelift.targets.packages import target
from edgelift.targets.packages.knowledge import VENDORED, decide, dropped_names, find_rule
from edgelift.targets.packages.pip_run import Outcome, run_pip
from edgelift.targets.packages.pure_builds import BuildError, build_pure
from edgelift.targets.packages.python_versions import find_too_old
from edgelift.targets.packages.requirements import (
    OriginUse,
    RequirementLine,
    parse_requirement,
)
from edgelift.targets.packages.wheels import Wheel, store_wheel

Note = Callable[[str], None]
MAX_ROUNDS = 60
MAX_TOLD = 4  # requirements named in a conflict
IDLE_TIP = "check that the app does not load it later, by a name made at run time for example"
EXCLUDE_TIP = "if the app works without it, list it under [packages] exclude in edgelift.toml"


class Rounds:
    """Collects the roots of a resolution (`sort`, `add`), then finds their wheels (`resolve`)."""

    def __init__(
        self,
        cache: Path,
        note: Note,
        *,
        exclude: set[str],
        use: OriginUse,
    ) -> None:
        self.cache = cache
        self.note = note
        self.exclude = exclude
        self.imported = set(use.imported)
        self.engines = frozenset(use.engines)
        self.idle = {canonicalize_name(name) for name in use.idle}
        self.constraints: dict[str, str] = {
            canonicalize_name(name): version for name, version in use.versions.items()
        }
        self.roots: dict[str, list[tuple[Requirement, RequirementLine]]] = {}
        self.plans: dict[str, PackagePlan] = {}
        self.findings: list[Finding] = []
        self.built: set[str] = set()
        self.tried: set[str] = set()

    def sort(self, line: RequirementLine) -> None:
        """Decide about a requirement of the origin: a root to resolve, or left out, or refused."""
        requirement = parse_requirement(line.text)
        if requirement is None:
            self._note_unnamed(line)
            return
        name = canonicalize_name(requirement.name)
        if requirement.url:
            self._refuse(name, line, "it is installed from a URL or path, not from a package index")
        elif name in self.exclude:
            self._leave_out(name, "excluded", "listed under [packages] exclude in edgelift.toml")
        elif not holds(requirement):
            self._leave_out(name, "excluded", f"its marker `{requirement.marker}` excludes Workers")
        else:
            self._apply_rule(name, requirement, line)

    def _apply_rule(self, name: str, requirement: Requirement, line: RequirementLine) -> None:
        decision = decide(name, self.imported, self.engines)
        if decision.outcome == VENDORED:
            self.roots.setdefault(name, []).append((requirement, line))
        elif decision.outcome == "refused":
            self._refuse(name, line, decision.reason)
        else:
            self._leave_out(name, decision.outcome, decision.reason, decision.substitute)
            for needed in decision.requires:
                self.add(RequirementLine(needed, line.path, line.line))
            if decision.substitute:
                self._find(
                    "PKG-SUBSTITUTED",
                    Level.NOTE,
                    f"{name} is replaced by {decision.substitute}: {decision.reason}",
                    line,
                )

    def add(self, line: RequirementLine) -> None:
        """Add a root whatever the rules say."""
        requirement = parse_requirement(line.text)
        if requirement is None:
            self._note_unnamed(line)
        elif holds(requirement):
            name = canonicalize_name(requirement.name)
            self.roots.setdefault(name, []).append((requirement, line))

    def resolve(self) -> tuple[list[Wheel], list[PackagePlan], list[Finding]]:
        """Return wheels, the plan of every package and the findings.

        Raises TargetUnavailable without a network, TargetError when no end is reached.
        """
        with tempfile.TemporaryDirectory() as folder:
            links = Path(folder, "links")
            links.mkdir()
            for round_ in range(MAX_ROUNDS):
                if not self.roots:
                    return [], self._sorted_plans(), self.findings
                wanted = [plain(r) for listed in self.roots.values() for r, _line in listed]
                downloads = Path(folder, f"round-{round_}")
                self.note(f"resolving {len(wanted)} requirements for the Worker's Python")
                dropped = dropped_names(self.imported, self.engines)
                drop = {*self.exclude, *dropped} - set(self.roots)
                outcome = run_pip(
                    wanted, downloads, constraints=self.constraints, drop=sorted(drop), links=links
                )
                if outcome.parents is not None:
                    if self._loosen_too_old(downloads):
                        continue
                    wheels = self._store(downloads, outcome.parents)
                    return wheels, self._sorted_plans(), self.findings
                self._mend(outcome, links)
        raise TargetError(
            "The packages could not be resolved for the Worker",
            why=f"no solution after {MAX_ROUNDS} rounds",
            tip="pin more versions in the requirements",
        )

    def _loosen_too_old(self, downloads: Path) -> bool:
        """Give up versions of the origin that cannot run here; tell those that are asked for.

        Returns whether another round may find newer ones.
        """
        old = find_too_old(downloads)
        held = {
            name: row.series
            for name, (_version, row) in old.items()
            if self.constraints.get(name, row.series) != row.series
        }
        if held:
            self.constraints |= held
            return True
        for name, (version, row) in sorted(old.items()):
            line = self.roots[name][0][1] if name in self.roots else None
            self._find("PKG-PYTHON", Level.ERROR, f"{name} {version} does not run on Python "
                       f"{target.PYTHON_VERSION}: {row.reason}", line,
                       f"raise the pin to {name}>={row.before}")  # fmt: skip
        return False

    def _mend(self, outcome: Outcome, links: Path) -> None:
        if outcome.missing:
            self._mend_missing(outcome, links)
        else:
            self._mend_conflict(outcome, links)

    def _mend_missing(self, outcome: Outcome, links: Path) -> None:
        name = outcome.missing
        chain = [canonicalize_name(parent) for parent in outcome.chain]
        wanted = outcome.wanted if chain else plain(self.roots[name][0][0])
        if name in self.constraints:
            wanted = f"{name}=={self.constraints[name]}"
        reason = self._build(wanted, links)
        if reason is None or self.constraints.pop(name, None) is not None:
            return
        if outcome.optional and find_rule(name) is None:
            self._drop_optional(chain[0], outcome.optional, name, reason)
        else:
            self._refuse_root(chain[0] if chain else name, name, reason)

    def _drop_optional(self, root: str, optional: str, missing: str, reason: str) -> None:
        """Go on without a requirement that only an extra of a root asks for, and say so."""
        self.exclude.add(optional)
        because = reason if optional == missing else f"it needs {missing}: {reason}"
        self._leave_out(optional, "excluded", because)
        requirement, line = self.roots[root][0]
        self._find(
            "PKG-EXTRA",
            Level.WARNING,
            f"{plain(requirement)} goes without {optional}: {because}",
            line,
            "check that the app does not use it at run time",
        )

    def _mend_conflict(self, outcome: Outcome, links: Path) -> None:
        names = {_name_of(text) for text, _parent in outcome.conflict}
        if loosened := names & set(self.constraints):
            for name in loosened:
                del self.constraints[name]
            return
        single = outcome.conflict[0][0] if len(outcome.conflict) == 1 else ""
        reason = self._build(single, links) if single else "its requirements exclude each other"
        if reason is None:
            return
        told = outcome.conflict[:MAX_TOLD]
        text = "; ".join(f"{r} (wanted by {p or 'the app'})" for r, p in told)
        blamed = self._blame(outcome)
        if single and blamed:
            self._refuse_root(blamed, _name_of(single), reason)
            return
        self._find("PKG-CONFLICT", Level.ERROR, f"no versions fit together: {text}", None,
                   "loosen the pins named here; the Worker's Python is "
                   f"{target.PYTHON_VERSION}")  # fmt: skip
        for name in [blamed] if blamed else list(self.roots):
            self._drop_root(name, "refused", "no versions fit together")

    def _blame(self, outcome: Outcome) -> str:
        """Return a root that a conflict names, as requirement or as requirer, or "" for none."""
        for text, parent in outcome.conflict:
            for candidate in (_name_of(parent) if parent else _name_of(text), _name_of(text)):
                if candidate in self.roots:
                    return candidate
        return ""

    def _build(self, wanted: str, links: Path) -> str | None:
        """Build a wheel without native code into `links`; return why not, or None on success."""
        name = _name_of(wanted)
        rule = find_rule(name)
        if rule is not None and rule.outcome != "excluded":
            return rule.reason
        if wanted in self.tried:
            return "what its source builds does not fit"
        self.tried.add(wanted)
        self.note(f"building {wanted} from source, without native code")
        try:
            wheel = build_pure(wanted, self.cache)
        except BuildError as error:
            return str(error)
        shutil.copyfile(wheel, links / wheel.name)
        self.built.add(name)
        return None

    def _store(self, downloads: Path, parents: dict[str, str]) -> list[Wheel]:
        wheels = []
        for file in sorted(downloads.glob("*.whl")):
            name = canonicalize_name(str(parse_wheel_filename(file.name)[0]))
            parent = "" if name in self.roots else parents.get(name, "")
            wheel = store_wheel(file, self.cache, built=name in self.built, required_by=parent)
            wheels.append(wheel)
            self.plans[name] = PackagePlan(name=name, outcome=VENDORED, reason=_describe(wheel))
        return wheels

    def _refuse_root(self, root: str, missing: str, reason: str) -> None:
        line = self.roots[root][0][1] if root in self.roots else RequirementLine(root)
        if root != missing:
            reason = f"it needs {missing}: {reason}"
        self._drop_root(root, "refused", reason)
        self._refuse(root, line, reason)

    def _drop_root(self, name: str, outcome: str, reason: str) -> None:
        if self.roots.pop(name, None) is None:
            raise TargetError(
                f"The package {name} cannot be had for the Worker",
                why=reason,
                tip="report this: no requirement of the app leads to it",
            )
        self._leave_out(name, outcome, reason)

    def _refuse(self, name: str, line: RequirementLine, reason: str) -> None:
        if name in self.idle:
            self._leave_out(name, "excluded", f"nothing loads it, and {reason}")
            self._find("PKG-IDLE", Level.WARNING, f"{name} cannot run in the Worker and is left "
                       f"out, since nothing loads it: {reason}", line, IDLE_TIP)  # fmt: skip
            return
        self._leave_out(name, "refused", reason)
        self._find("PKG-REFUSED", Level.ERROR, f"{name} cannot run in the Worker: {reason}", line,
                   EXCLUDE_TIP)  # fmt: skip

    def _note_unnamed(self, line: RequirementLine) -> None:
        text = line.text
        if text.startswith(("-e", "--editable", ".", "/")):
            self._find("PKG-LOCAL", Level.WARNING, f"`{text}` is a local project and is not "
                       "installed; the app's own source is copied as it is", line)  # fmt: skip
            return
        self._find("PKG-UNREADABLE", Level.ERROR, f"`{text}` is no requirement by name and version",
                   line, "write a name and a version, as in flask>=3")  # fmt: skip

    def _leave_out(self, name: str, outcome: str, reason: str, substitute: str = "") -> None:
        self.plans[name] = PackagePlan(
            name=name, outcome=outcome, reason=reason, substitute=substitute
        )

    def _find(
        self, rule: str, level: Level, message: str, line: RequirementLine | None, tip: str = ""
    ) -> None:
        path, number = (line.path, line.line) if line else (None, None)
        self.findings.append(
            Finding(rule=rule, level=level, message=message, path=path, line=number, tip=tip)
        )

    def _sorted_plans(self) -> list[PackagePlan]:
        return [self.plans[name] for name in sorted(self.plans)]


def holds(requirement: Requirement) -> bool:
    """Return whether a requirement's marker holds in the Worker's Python."""
    if requirement.marker is None:
        return True
    return requirement.marker.evaluate({**target.MARKERS, "extra": ""})


def plain(requirement: Requirement) -> str:
    """Return a requirement without its marker, which was evaluated before."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def _name_of(text: str) -> str:
    parsed = parse_requirement(text.partition(" ")[0])
    return canonicalize_name(parsed.name if parsed else text.partition(" ")[0])


def _describe(wheel: Wheel) -> str:
    kind = "pure Python" if wheel.pure else "WebAssembly"
    if wheel.built:
        kind = "pure Python, built from source without its native part"
    needed = f", needed by {wheel.required_by}" if wheel.required_by else ""
    return f"{wheel.version}, {kind}{needed}"
