"""Rules about secrets that stand in files: they would travel into the Worker's code."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections.abc import Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.project import list_files
from edgelift.sources.source_code.view import CodeView
from edgelift.stages.assess.settings_read import read_settings

HARDCODED = Rule(
    id="SECRET-HARDCODED",
    level=Level.WARNING,
    title="A secret stands in the source",
    why="the source is copied into the Worker as it is, and everyone who reads it knows the secret",
    tip="read it from the environment and declare it as [env.NAME] secret = true",
)
FILE = Rule(
    id="SECRET-FILE",
    level=Level.NOTE,
    title="A file holds secrets",
    why="it is not copied into the Worker",
    tip="declare its variables as [env.NAME] secret = true",
)
RULES = (HARDCODED, FILE)

_NAME = re.compile(
    r"(^|_)(SECRET(_KEY)?|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|AUTH_?TOKEN|ACCESS_?TOKEN"
    r"|API_?TOKEN|SIGNING_?KEY|ENCRYPTION_?KEY|TOKEN|SALT)$",
    re.IGNORECASE,
)
# Forms that are secrets whatever they are called (the issuers' documentation).
_FORMS = re.compile(
    r"\b(AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|sk_live_[A-Za-z0-9]{16,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35}"
    r"|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_CREDENTIALS = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@\s:{]+:[^/@\s{]+@")
_FILES = (".env", ".env.*", "*.pem", "id_rsa", "id_ed25519", "credentials.json", "*.p12", "*.pfx",
          "service-account*.json", "secrets.toml", "secrets.yaml", "secrets.json")  # fmt: skip
_HARMLESS = (".env.example", ".env.sample", ".env.template", ".env.dist")


def check_secrets(view: CodeView) -> Iterator[Finding]:
    """Yield literals that are secrets, their values masked, and files of secrets."""
    found: set[tuple[str, int]] = set()
    for site, key, value in read_settings(view):
        text = view.constant(site, value) if isinstance(value, ast.Constant) else None
        line = value.lineno
        if isinstance(text, str) and _is_secret(key, text) and (site.path, line) not in found:
            found.add((site.path, line))
            yield HARDCODED.at(f"{key} = '***' ({len(text)} characters)", site.path, line)
    for site in view.sites:
        node = site.node
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        known = (site.path, site.line) in found
        if not known and (_FORMS.search(node.value) or _CREDENTIALS.match(node.value)):
            found.add((site.path, site.line))
            yield HARDCODED.at("a literal of the form of a credential", site.path, site.line)
    for file in list_files(view.project.root):
        fits = any(fnmatch.fnmatch(file.name, pattern) for pattern in _FILES)
        if fits and file.name not in _HARMLESS:
            path = file.relative_to(view.project.root).as_posix()
            yield FILE.at(file.name, path, None)


def _is_secret(name: str, value: str) -> bool:
    """Return whether a setting is a secret by its name and its value, which is not just a name."""
    if not _NAME.search(name) or len(value) < 3 or re.search(r"[\s{}<>]", value):
        return False
    # `token = "access_token"`, `PASSWORD = "password"`: names of fields, not secrets.
    return not re.fullmatch(r"[a-z_]*(token|password|secret|key|salt)[a-z_]*", value)
