"""init: finds out what a backend is, by its source and by importing it, and writes edgelift.toml.

Not a stage: it comes before there is a project. Where source and import disagree, the import wins
and the file says so.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from edgelift.errors import OriginError, UsageError
from edgelift.model.inventory import EnvVariable
from edgelift.project import (
    FILE_NAME,
    STATE_FOLDER,
    AppSection,
    EnvSection,
    JobSection,
    Project,
    Settings,
    StaticSection,
    find_settings,
    parse_settings,
)
from edgelift.sources.probe import Probe, explain_failure, try_import
from edgelift.sources.python_env import ensure_origin_python
from edgelift.sources.source_code import CodeGraph, SourceTree, read_sources
from edgelift.sources.source_code.databases import find_databases
from edgelift.sources.source_code.environment import is_secret, is_surroundings, read_variables
from edgelift.stages.init.candidates import FILE_ORDER, Candidate, find_candidates
from edgelift.stages.init.http_tests import find_http_tests
from edgelift.stages.init.requirements import GENERATED, find_requirements
from edgelift.stages.init.settings_text import Detected, to_toml

Note = Callable[[str], None]
Framework = Literal["flask", "fastapi", "django", "wsgi", "asgi"]
# More are hardly the app any more, and each may cost a whole import time-out.
_MOST_TRIES = 4


@dataclass(frozen=True)
class InitResult:
    """What init found; `text` is the file's content, `written` whether it was put there."""

    settings_path: Path
    written: bool
    text: str
    entry: str = ""
    framework: str = ""
    others: tuple[str, ...] = ()


def init_project(
    path: Path, *, force: bool = False, note: Note, dry_run: bool = False
) -> InitResult:
    """Detect what the backend in a folder is and write `.edgelift/edgelift.toml`.

    A file that is there already is left alone without `force`; one beside the app, which is the
    user's, is never written. Raises UsageError when no app is found, OriginError when it cannot be
    imported.
    """
    existing = find_settings(path)
    if existing is not None and not force:
        return InitResult(existing, written=False, text=existing.read_text(encoding="utf-8"))
    detected, others = detect(path, note)
    text = to_toml(detected)
    target = path / STATE_FOLDER / FILE_NAME
    if not dry_run:
        _write(target, text)
        _write(path / STATE_FOLDER / ".gitignore", f"*\n!.gitignore\n!{FILE_NAME}\n")
        parse_settings(target)
    if existing is not None and existing != target:
        note(f"{existing} beside the app is yours and still counts; compare it with {target}")
    return InitResult(
        target,
        written=not dry_run,
        text=text,
        entry=detected.app.entry,
        framework=detected.app.framework,
        others=tuple(others),
    )


def detect(root: Path, note: Note) -> tuple[Detected, list[str]]:
    """Return what was detected, and the entries of the candidates that were not chosen."""
    tree = read_sources(root)
    candidates = find_candidates(root, tree)
    if not candidates:
        raise _no_app(root, tree)
    chosen, project, probe = _choose(root, tree, candidates, note)
    others = [c.entry for c in candidates if c is not chosen]
    for other in candidates:
        if other is not chosen:
            note(f"another app might be {other.entry} ({other.place}: {other.reason})")
    return _describe(project, tree, chosen, probe, others), others


def _no_app(root: Path, tree: SourceTree) -> UsageError:
    files = ", ".join(f"{name}.py" for name in FILE_ORDER)
    broken = "".join(
        f"; {b.path}{'' if b.line is None else f':{b.line}'} cannot be read: {b.why}"
        for b in tree.broken[:1]
    )
    return UsageError(
        f"No app was found in {root}",
        why=f"{len(tree.files)} Python files were read for a Flask, FastAPI, Starlette, Quart, "
        f"Falcon, Bottle or Django app, first {files}, and Procfile, Dockerfile and compose files "
        f"for a server's command line{broken}",
        tip=f"write {root / FILE_NAME} yourself: docs/reference/project-file.md",
    )


def _choose(
    root: Path, tree: SourceTree, candidates: list[Candidate], note: Note
) -> tuple[Candidate, Project, Probe]:
    """Return the first candidate that can be imported, its project and what the import showed.

    Raises the error of the first candidate when none can.
    """
    failures: list[OriginError] = []
    for candidate in candidates[:_MOST_TRIES]:
        for variant in _variants(candidate, tree):
            project = _provisional(root, tree, variant)
            python = ensure_origin_python(project, note)
            try:
                probe = try_import(project, python, note)
            except OriginError as error:
                failures.append(error)
                continue
            if probe.error is None and probe.framework:
                return candidate, project, probe
            failures.append(explain_failure(project, probe))
            note(f"{variant.entry} cannot be imported: {failures[-1].why}")
    raise failures[0]


def _variants(candidate: Candidate, tree: SourceTree) -> list[Candidate]:
    """Return the candidate, and it seen from the project's root when it lies in a plain folder."""
    if candidate.root in {".", "src"} or not candidate.root.replace("/", "").isidentifier():
        return [candidate]
    module = f"{candidate.root.replace('/', '.')}.{candidate.entry}"
    top = candidate.root.partition("/")[0]
    named = any(
        re.search(rf"^\s*(from|import)\s+{re.escape(top)}\b", line)
        for file in tree.files.values()
        for line in file.lines
    )
    upper = Candidate(module, ".", candidate.framework, candidate.reason)
    return [upper, candidate] if named else [candidate, upper]


def _provisional(root: Path, tree: SourceTree, candidate: Candidate) -> Project:
    """Return a project good enough to import the app: every variable it reads is passed on."""
    requirements, lines = find_requirements(root, candidate.root)
    if lines:
        _write(root / GENERATED, "\n".join(lines) + "\n")
    graph = CodeGraph(tree, [path for path, file in tree.files.items() if not file.is_test])
    names = [v.name for v in read_variables(graph)]
    app = AppSection(
        framework=cast("Framework", candidate.framework),
        entry=candidate.entry,
        root=candidate.root,
        requirements=requirements,
    )
    env = {name: EnvSection(secret=True) for name in names}
    settings = Settings(name=_name(root), app=app, env=env)
    return Project(root, settings, root / STATE_FOLDER / FILE_NAME)


def _name(root: Path) -> str:
    """Return the folder's name as a Worker may be called: lower case, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", root.resolve().name.lower()).strip("-")[:54] or "app"


def _describe(
    project: Project, tree: SourceTree, chosen: Candidate, probe: Probe, others: list[str]
) -> Detected:
    app = project.settings.app
    module = app.entry.partition(":")[0]
    seen = read_sources(project.root, app.root) if app.root != "." else tree
    graph = CodeGraph(seen, seen.find_reachable(module, probe.sources))
    notes = [f"not taken: {', '.join(others)}"] if others else []
    framework = cast("Framework", probe.inner or probe.framework)
    if framework != chosen.framework:
        notes.append(f"the source looks like {chosen.framework}, the import gave {framework}")
    if not app.requirements:
        notes.append("no requirement file was found")
    variables = _merge_variables(read_variables(graph), probe)
    databases = find_databases(project.root, graph, probe, variables)
    redirecting = {use.env for use in databases}
    env = [v for v in variables if v.name not in redirecting]
    tests = find_http_tests(tree)
    return Detected(
        name=project.settings.name,
        app=AppSection(
            framework=framework, entry=app.entry, root=app.root, requirements=app.requirements
        ),
        reason=f"{chosen.place}: {chosen.reason}",
        notes=notes,
        databases=databases,
        static=[StaticSection(path=s.path, url=s.url) for s in probe.static],
        jobs=[
            JobSection(name=j.name, schedule=j.schedule, call=j.call)
            for j in probe.jobs
            if j.schedule and not j.problem
        ],
        unscheduled=[j for j in probe.jobs if j.problem or not j.schedule],
        env=env,
        values=_needed_values(env, probe),
        tests=tests[0] if tests else None,
        tests_place=tests[1] if tests else "",
    )


def _merge_variables(static: list[EnvVariable], probe: Probe) -> list[EnvVariable]:
    """Return the variables of source and import; the import's defaults win."""
    merged = {variable.name: variable for variable in static}
    for seen in probe.env:
        if is_surroundings(seen.name):
            continue
        known = merged.get(seen.name)
        default = seen.default if seen.default is not None else (known.default if known else None)
        merged[seen.name] = EnvVariable(
            name=seen.name,
            default=default,
            secret=is_secret(seen.name, os.environ.get(seen.name) or default),
            path=seen.path,
            line=seen.line,
        )
    return [merged[name] for name in sorted(merged)]


def _needed_values(env: list[EnvVariable], probe: Probe) -> dict[str, str]:
    """Return the present values of variables without which the app does not import.

    Those without a default count too: fields of settings classes are asked for by no lookup.
    """
    required = {seen.name for seen in probe.env if seen.required}
    return {
        v.name: os.environ[v.name]
        for v in env
        if (v.name in required or v.default is None) and not v.secret and v.name in os.environ
    }


def _write(path: Path, text: str) -> None:
    """Write a file in one step, so that a killed run leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as temporary:
        temporary.write(text)
    Path(temporary.name).replace(path)
