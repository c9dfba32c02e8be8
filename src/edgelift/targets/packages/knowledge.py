"""What is known about packages beforehand (substitutes.toml), as decisions about requirements."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

SOURCE = Path(__file__).parent / "substitutes.toml"
VENDORED = "vendored"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule of substitutes.toml; the file's head explains the fields."""

    names: tuple[str, ...]
    outcome: str
    reason: str
    when_imported: str = ""
    modules: dict[str, tuple[str, ...]] = {}
    provided: tuple[str, ...] = ()
    substitute: str = ""
    transitive: bool = False
    engine: str = ""
    requires: tuple[str, ...] = ()


class PureBuild(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a project is built without its optional native part."""

    name: str
    settings: dict[str, str] = {}
    environment: dict[str, str] = {}


class Knowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of substitutes.toml."""

    rule: tuple[Rule, ...]
    pure_build: tuple[PureBuild, ...]


class Decision(msgspec.Struct, frozen=True):
    """What a rule says about one project in one app."""

    outcome: str
    reason: str = ""
    substitute: str = ""
    requires: tuple[str, ...] = ()


@functools.cache
def read_knowledge() -> Knowledge:
    """Return the rules that ship with edgelift."""
    return msgspec.convert(tomllib.loads(SOURCE.read_text(encoding="utf-8")), Knowledge)


def find_rule(name: str, engines: Collection[str] = ()) -> Rule | None:
    """Return the first rule for a normalised project name, or None.

    `engines` are those of the servers that the Worker's own drivers reach.
    """
    for rule in read_knowledge().rule:
        if (not rule.engine or rule.engine in engines) and any(
            fnmatchcase(name, pattern) for pattern in rule.names
        ):
            return rule
    return None


def decide(name: str, imported: Collection[str], engines: Collection[str] = ()) -> Decision:
    """Return the decision about a project, given the top-level modules that the app imports."""
    rule = find_rule(name, engines)
    if rule is None:
        return Decision(VENDORED)
    modules = rule.modules.get(name, (name.replace("-", "_"),))
    used = sorted(set(modules) & set(imported) - set(rule.provided))
    if not used or not rule.when_imported:
        return Decision(rule.outcome, rule.reason, rule.substitute, rule.requires)
    if rule.when_imported == VENDORED:
        return Decision(VENDORED)
    return Decision(
        rule.when_imported,
        f"the app's own code imports {', '.join(used)}, which has no build for the Worker's Python",
    )


def dropped_names(imported: Collection[str], engines: Collection[str] = ()) -> list[str]:
    """Return the exact names left out even where another package asks for them."""
    return sorted(
        name
        for rule in read_knowledge().rule
        if rule.transitive and (not rule.engine or rule.engine in engines)
        for name in rule.names
        if decide(name, imported, engines).outcome in {"excluded", "substituted"}
    )


def find_pure_build(name: str) -> PureBuild:
    """Return how to build a project without native code; the plain way unless a rule says more."""
    for entry in read_knowledge().pure_build:
        if entry.name == name:
            return entry
    return PureBuild(name)
