"""Finds the wheels that run the origin's requirements in the Worker, and says what cannot run.

pip resolves for the target's tags and markers. A project without a usable wheel is built from
source without native code; where that fails, the requirement that wanted it is refused and the rest
is resolved again. Results are kept in the cache, so that the same question is answered offline.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from edgelift.model.findings import Finding
from edgelift.model.plan import PackagePlan
from edgelift.targets.packages import target
from edgelift.targets.packages.knowledge import SOURCE
from edgelift.targets.packages.requirements import UNKNOWN_USE, OriginUse, RequirementLine
from edgelift.targets.packages.rounds import Rounds
from edgelift.targets.packages.wheels import Wheel, is_stored

Note = Callable[[str], None]


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """The wheels to install, what became of each package, and the findings of what cannot run."""

    wheels: tuple[Wheel, ...] = ()
    packages: tuple[PackagePlan, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Return the wheels' total size, compressed."""
        return sum(wheel.size_bytes for wheel in self.wheels)


def resolve_packages(
    requirements: Sequence[str | RequirementLine],
    *,
    cache: Path,
    exclude: Collection[str] = (),
    include: Sequence[str] = (),
    note: Note = lambda _text: None,
    use: OriginUse = UNKNOWN_USE,
) -> Resolution:
    """Resolve an app's requirements for the Worker's Python.

    `exclude` are project names to leave out everywhere, `include` requirement lines added and never
    left out by a rule; `use` is what is known about the running origin.
    Raises TargetUnavailable when the package index does not answer, TargetError when pip fails.
    """
    lines = [r if isinstance(r, RequirementLine) else RequirementLine(r) for r in requirements]
    question = {
        "lines": [[line.text, line.path, line.line] for line in lines],
        "exclude": sorted(canonicalize_name(name) for name in exclude),
        "include": list(include),
        "imported": sorted(use.imported),
        "idle": sorted(use.idle),
        "engines": sorted(use.engines),
        "constraints": dict(sorted(use.versions.items())),
        "target": [target.PLATFORM, target.ABIS, target.MARKERS],
        "rules": hashlib.sha256(SOURCE.read_bytes()).hexdigest(),
        "format": 1,
    }
    key = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    kept = cache / "resolutions" / f"{key[:32]}.json"
    if (known := _read_kept(kept, cache)) is not None:
        return known
    rounds = Rounds(
        cache,
        note,
        exclude={str(canonicalize_name(name)) for name in exclude},
        use=use,
    )
    for line in lines:
        rounds.sort(line)
    for text in include:
        rounds.add(RequirementLine(text))
    wheels, packages, findings = rounds.resolve()
    resolution = Resolution(
        wheels=tuple(wheels), packages=tuple(packages), findings=tuple(findings)
    )
    _keep(kept, resolution)
    return resolution


def _read_kept(kept: Path, cache: Path) -> Resolution | None:
    try:
        resolution = msgspec.json.decode(kept.read_bytes(), type=Resolution)
    except (OSError, msgspec.DecodeError):
        return None
    whole = all(is_stored(wheel, cache) for wheel in resolution.wheels)
    return resolution if whole else None


def _keep(kept: Path, resolution: Resolution) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as temporary:
        temporary.write(msgspec.json.format(msgspec.json.encode(resolution), indent=1))
    Path(temporary.name).replace(kept)
