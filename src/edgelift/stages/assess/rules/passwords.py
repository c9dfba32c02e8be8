"""Rules about password hashes: what Cloudflare refuses to compute and the local runtime does not.

PBKDF2 runs in the Worker by node:crypto (worker/patches/hashing.py), as WebCrypto's does it is
refused above 100,000 iterations in production (workerd issue 1346: checkPbkdfLimits); workerd on
this machine has no such limit, so verify cannot see it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.sources.source_code.view import CodeView, Site, read_keyword
from edgelift.stages.assess.settings_read import read_settings

PBKDF2 = Rule(
    id="LIMIT-PBKDF2",
    level=Level.WARNING,
    title="Hashes passwords with more than 100,000 iterations of PBKDF2",
    why="Cloudflare refuses more, so making and checking such a hash raises an error there, though "
    "it works on this machine; hashes that are stored already are checked with their own number",
    tip="hash with scrypt (werkzeug's default, Django's ScryptPasswordHasher) and let users with "
    "stored PBKDF2 hashes set a new password, or keep logins at the origin",
)
RULES = (PBKDF2,)

MOST_ITERATIONS = 100_000
# Defaults of the releases since 2024: werkzeug 3.1, Django 5.0 to 6.1.
_WERKZEUG_DEFAULT = 1_000_000
_DJANGO = "django.contrib.auth"
_DJANGO_HASHERS = ("PBKDF2PasswordHasher", "PBKDF2SHA1PasswordHasher")
_PASSLIB = ("passlib.hash.pbkdf2_", "passlib.hash.django_pbkdf2_")


def check_passwords(view: CodeView) -> Iterator[Finding]:
    """Yield places that hash with PBKDF2 beyond the limit."""
    for site, call, name in view.calls:
        iterations = _read_iterations(view, site, call, name)
        if iterations is not None and iterations > MOST_ITERATIONS:
            yield PBKDF2.at(f"{name}() with {iterations:,} iterations", site.path, site.line)
    yield from _check_django(view)


def _read_iterations(view: CodeView, site: Site, call: ast.Call, name: str) -> int | None:
    """Return how often a call would iterate, None where it cannot be told or is no such call."""
    value: object = None
    if name == "hashlib.pbkdf2_hmac":
        given = call.args[3] if len(call.args) > 3 else read_keyword(call, "iterations")
        value = view.constant(site, given)
    elif name == "werkzeug.security.generate_password_hash":
        given = call.args[1] if len(call.args) > 1 else read_keyword(call, "method")
        value = _read_method(view.constant(site, given))
    elif name.startswith(_PASSLIB):
        value = view.constant(site, read_keyword(call, "rounds"))
    return value if isinstance(value, int) else None


def _read_method(method: object) -> int | None:
    """Return the iterations of werkzeug's `pbkdf2:sha256:600000`."""
    if not isinstance(method, str) or not method.startswith("pbkdf2"):
        return None
    number = method.split(":")[2:3]
    if not number:
        return _WERKZEUG_DEFAULT
    return int(number[0]) if number[0].isdigit() else None


def _check_django(view: CodeView) -> Iterator[Finding]:
    """Yield the settings by which Django hashes new passwords with PBKDF2, its default."""
    installed: Site | None = None
    chosen = False
    for site, key, value in read_settings(view):
        if key == "INSTALLED_APPS" and _DJANGO in _read_texts(value):
            installed = site
        elif key == "PASSWORD_HASHERS":
            chosen = True
            first = next(iter(_read_texts(value)), "")
            if first.endswith(_DJANGO_HASHERS) and first.startswith(_DJANGO):
                yield PBKDF2.at(f"PASSWORD_HASHERS begins with {first}", site.path, site.line)
    if installed is not None and not chosen:
        what = f"{_DJANGO} without PASSWORD_HASHERS, so with Django's PBKDF2PasswordHasher"
        yield PBKDF2.at(what, installed.path, installed.line)


def _read_texts(node: ast.expr) -> list[str]:
    listed = node.elts if isinstance(node, ast.List | ast.Tuple) else []
    return [n.value for n in listed if isinstance(n, ast.Constant) and isinstance(n.value, str)]
