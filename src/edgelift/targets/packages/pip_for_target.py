"""Runs pip's resolver for the Worker's Python; started as a script in a process of its own.

pip takes tags for another platform but evaluates markers for the machine it runs on, so that
`greenlet; platform_machine == "x86_64"` would be wanted in the Worker. Here the markers are the
target's. Two more changes make failures quick and structured: a project without any usable file
ends the run at once (pip would try hundreds of older versions of its parents first), and
requirements of names in `drop` are passed over.

Reads a JSON job from the file argv[1] and writes to argv[2] `{"parents": {name: requirer}}`,
`{"missing": name, "wanted": requirement, "chain": [requirer, ...], "optional": name}` or
`{"conflict": [[requirement, requirer], ...]}`; anything else is left to the exit code. `optional`
names the requirement of an extra of the root that led to the missing project.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# Private on purpose: pip has no API. pyproject.toml pins the range of pip that was tested.
from pip._internal.cli.main import main as run_pip
from pip._internal.exceptions import InstallationError
from pip._internal.index import package_finder
from pip._internal.resolution.resolvelib import factory as resolver_factory
from pip._vendor.packaging import markers
from pip._vendor.packaging.utils import canonicalize_name

# As Any: their methods are replaced below.
PackageFinder: Any = package_finder.PackageFinder
Factory: Any = resolver_factory.Factory
Markers: Any = markers


class Patches:
    """The changes to pip; collects what the outcome file tells."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.outcome: dict[str, Any] = {}
        self.parents: dict[str, str] = {}
        self.wanted: dict[str, str] = {}
        self.optional: set[str] = set()

    def apply(self) -> None:
        """Replace pip's marker environment, candidate search, requirement factory, error report."""
        Markers.default_environment = lambda: dict(self.job["markers"])
        self._end_at_missing_projects()
        self._drop_requirements()
        self._report_conflicts()

    def _end_at_missing_projects(self) -> None:
        find_all = PackageFinder.find_all_candidates

        def find_all_or_end(finder: Any, project_name: str) -> Any:
            found = find_all(finder, project_name)
            if not found:
                name = canonicalize_name(project_name)
                wanted = self.wanted.get(name, project_name)
                chain = self._chain(name)
                below_root = (*chain, name)[1 if chain else 0]
                self.outcome = {"missing": name, "wanted": wanted, "chain": chain}
                self.outcome["optional"] = below_root if below_root in self.optional else ""
                raise InstallationError(f"nothing to install for {project_name}")
            return found

        PackageFinder.find_all_candidates = find_all_or_end

    def _drop_requirements(self) -> None:
        make = Factory.make_requirements_from_spec
        dropped = set(self.job["drop"])

        def make_unless_dropped(
            factory: Any, specifier: str, comes_from: Any, *rest: Any, **options: Any
        ) -> Any:
            for requirement in make(factory, specifier, comes_from, *rest, **options):
                name = canonicalize_name(requirement.project_name)
                if comes_from is not None and comes_from.name:
                    if name in dropped:
                        continue
                    self.parents.setdefault(name, canonicalize_name(comes_from.name))
                    self.wanted.setdefault(name, specifier.partition(";")[0].strip())
                    if "extra ==" in specifier:
                        self.optional.add(name)
                yield requirement

        Factory.make_requirements_from_spec = make_unless_dropped

    def _report_conflicts(self) -> None:
        explain = Factory.get_installation_error

        def explain_and_note(factory: Any, error: Any, constraints: Any) -> Any:
            self.outcome = {
                "conflict": [
                    [str(cause.requirement), str(cause.parent) if cause.parent else ""]
                    for cause in error.causes
                ]
            }
            return explain(factory, error, constraints)

        Factory.get_installation_error = explain_and_note

    def _chain(self, name: str) -> list[str]:
        """Return the project's requirers from a root requirement down to its direct parent."""
        chain: list[str] = []
        current = name
        while (parent := self.parents.get(current)) and parent not in chain:
            chain.insert(0, parent)
            current = parent
        return chain


def main() -> int:
    """Run one job and return pip's exit code."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    patches = Patches(job)
    patches.apply()
    code = run_pip(job["arguments"])
    outcome = {"parents": patches.parents} if code == 0 else patches.outcome
    Path(sys.argv[2]).write_text(json.dumps(outcome), encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
