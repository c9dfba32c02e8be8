"""The variables that lead an app to another database of its server: one URL, or its parts.

Many apps put their URL together from DB_HOST, DB_USER and so on. `url` in edgelift.toml then says
the same: `postgresql://${DB_USER}:${DB_PASSWORD}@${DB_HOST}/${DB_NAME}`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from edgelift.errors import OriginError
from edgelift.model.server_url import DEFAULT_PORTS, ServerUrl, parse_server_url
from edgelift.project import DatabaseSection, expand_variables

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PARTS = re.compile(
    r"[\w+]+://((?P<user>[^:@/]*)(:(?P<password>[^@/]*))?@)?"
    r"(?P<host>\[[^\]]*\]|[^:/?]*)(:(?P<port>[^/?]*))?/(?P<database>[^?]*)"
)
NAMES = ("user", "password", "host", "port", "database")


def find_url_variables(
    section: DatabaseSection, copy: ServerUrl, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the variables by which the app opens `copy` instead of its own database.

    A URL keeps the scheme and options that the app's own has. Raises OriginError where the app
    would open another database: no variable sets what differs.
    """
    values = dict(os.environ if environment is None else environment)
    own = parse_server_url(expand_variables(section.url, values), values)
    whole = _VARIABLE.fullmatch(section.url)
    name = section.env or (whole[1] if whole else None)
    if name and own is not None:
        return {name: own.with_parts(**{part: getattr(copy, part) for part in NAMES})}
    parts = _PARTS.match(section.url)
    if own is None or parts is None or not _VARIABLE.fullmatch(parts["database"]):
        raise _no_variable(section, "no variable sets the URL of its server")
    found: dict[str, str] = {}
    for part in NAMES:
        variable = _VARIABLE.fullmatch(parts[part] or "")
        if variable:
            found[variable[1]] = str(getattr(copy, part))
        elif getattr(own, part) != getattr(copy, part) and not _is_beside_host(part, parts):
            raise _no_variable(section, f"no variable sets the {part} that its url names")
    host = _VARIABLE.fullmatch(parts["host"] or "")
    if host and parts["port"] is None and copy.port != DEFAULT_PORTS[copy.engine]:
        found[host[1]] = copy.address
    return found


def _is_beside_host(part: str, parts: re.Match[str]) -> bool:
    """Return whether a port can stand in the host's variable, as in `DB_HOST=db:6432`."""
    return part == "port" and parts["port"] is None and bool(_VARIABLE.fullmatch(parts["host"]))


def _no_variable(section: DatabaseSection, why: str) -> OriginError:
    return OriginError(
        f"The origin cannot be run on a copy of the database {section.name}",
        why=why,
        tip=f"set databases.env for {section.name} in edgelift.toml, or write the parts of its url "
        "as the app's variables: postgresql://${DB_USER}:${DB_PASSWORD}@${DB_HOST}/${DB_NAME}",
    )
