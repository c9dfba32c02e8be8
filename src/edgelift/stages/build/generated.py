"""Makes the generated files' text: wrangler.jsonc, pyproject.toml, entry point, migrations."""

from __future__ import annotations

import json
import pprint
import re
import string
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import tomlkit

from edgelift.stages.build.deploy_steps import STEPS as DEPLOY
from edgelift.stages.build.deploy_steps import write_deploy_steps
from edgelift.stages.build.parts import Parts
from edgelift.stages.build.shard_steps import STEPS, write_steps
from edgelift.stages.build.sql_project import build_services, build_sql_files
from edgelift.targets.packages import Resolution

# At least 2026-09-08, from which on Workers run Python 3.14; workerd 1.20261117.1 knows this date.
COMPATIBILITY_DATE = "2026-11-01"
SCHEMA_PATH = "node_modules/wrangler/config-schema.json"
BASE: dict[str, object] = {
    "$schema": SCHEMA_PATH,
    "compatibility_date": COMPATIBILITY_DATE,
    "observability": {"enabled": True},
}
# Tools of pywrangler, versions as tested with this edgelift.
DEVELOPMENT = ("workers-py==1.17.9", "workers-runtime-sdk==1.9.5")
GITIGNORE = "node_modules/\n.wrangler/\n.venv-workers/\n__pycache__/\n.dev.vars*\n"
NO_HYPERDRIVE = "create-it-with-wrangler-hyperdrive-create"
MAX_NAME = 63  # a Worker's name is a DNS label


def build_files(parts: Parts, resolution: Resolution, source: Iterable[str]) -> dict[str, bytes]:
    """Return all generated files by name; `source` are the origin's files below src/."""
    files = {
        "wrangler.jsonc": _wrangler_text(build_config(parts, source)),
        "pyproject.toml": build_pyproject(parts, resolution),
        f"src/{parts.entry_file}": build_entry(parts),
        ".gitignore": GITIGNORE,
    }
    encoded = {name: text.encode() for name, text in files.items()}
    encoded |= {f"src/{name}": content for name, content in parts.read_maps().items()}
    encoded[DEPLOY] = write_deploy_steps(parts, name_worker(parts), name_d1(parts)).encode()
    if steps := write_steps(parts):
        encoded[STEPS] = steps.encode()
    for database in parts.select("d1"):
        for number, (name, content) in enumerate(parts.schema[database.name].items(), 1):
            file = f"{migrations_folder(parts, database.name)}/{number:04}_{name}.sql"
            encoded[file] = content
    return encoded


def name_worker(parts: Parts) -> str:
    """Return the name of the app's Worker."""
    return worker_name(parts.project.settings.name)


def name_d1(parts: Parts) -> dict[str, str]:
    """Return the names of databases and shards in D1, by their own."""
    members = [member.name for database in parts.select("d1") for member in database.members]
    return {name: worker_name(f"{parts.project.settings.name}-{name}") for name in members}


def build_objects(parts: Parts) -> dict[str, bytes]:
    """Return the files of the databases' own project, none when no database moves."""
    names = name_d1(parts)
    d1 = {m.binding: names[m.name] for d in parts.select("d1") for m in d.members}
    return build_sql_files(name_worker(parts), BASE, parts.select("object"), parts.schema, d1)


def build_config(parts: Parts, source: Iterable[str]) -> dict[str, object]:
    """Return wrangler's configuration as a JSON object."""
    settings = parts.project.settings
    config: dict[str, object] = {
        **BASE,
        "name": worker_name(settings.name),
        "main": f"src/{parts.entry_file}",
        "compatibility_flags": ["python_workers"],
        "rules": build_rules([*source, *parts.read_maps()]),
    }
    if settings.static:
        # "none": a page keeps its URL, as on the origin; the default redirects /a.html to /a.
        config["assets"] = {
            "directory": "public",
            "html_handling": "none",
            "not_found_handling": "none",
        }
    if databases := parts.select("d1"):
        config["d1_databases"] = [
            {
                "binding": member.binding,
                "database_name": worker_name(f"{settings.name}-{member.name}"),
                "migrations_dir": migrations_folder(parts, database.name),
            }
            for database in databases
            for member in database.members
        ]
    if objects := parts.select("object"):
        config["services"] = build_services(worker_name(settings.name), objects)
    if parts.servers:
        # Without an id in edgelift.toml the plan says what to create; wrangler refuses to deploy.
        config["hyperdrive"] = [
            {"binding": server.binding, "id": server.id or NO_HYPERDRIVE}
            for server in parts.servers
        ]
    if parts.plan.crons:
        config["triggers"] = {"crons": list(parts.plan.crons)}
    if parts.variables:
        config["vars"] = dict(sorted(parts.variables.items()))
    if parts.secrets:
        config["secrets"] = {"required": list(parts.secrets)}
    return config


def build_rules(source: Iterable[str]) -> list[dict[str, object]]:
    """Return the module rules that upload every file that is not Python byte for byte.

    wrangler's own rule for text files makes strings of them, so an empty one replaces it.
    """
    globs = {_glob(PurePosixPath(name)) for name in source if not name.endswith(".py")}
    rules: list[dict[str, object]] = [{"type": "Text", "globs": [], "fallthrough": False}]
    if globs:
        rules.append({"type": "Data", "globs": sorted(globs), "fallthrough": False})
    return rules


def _glob(path: PurePosixPath) -> str:
    if re.fullmatch(r"\.[A-Za-z0-9_-]+", path.suffix) and path.stem:
        return f"**/*{path.suffix}"
    return "**/" + re.sub(r"[^A-Za-z0-9._ -]", "?", path.name)


def build_pyproject(parts: Parts, resolution: Resolution) -> str:
    """Return pyproject.toml for pywrangler, with the packages at the versions vendored here."""
    document = tomlkit.document()
    project = tomlkit.table()
    project["name"] = worker_name(parts.project.settings.name)
    project["version"] = "0.1.0"
    project["requires-python"] = ">=3.14"
    project["dependencies"] = _lines(
        f"{wheel.name}=={wheel.version}"
        for wheel in resolution.wheels
        if wheel.name != "workers-runtime-sdk"
    )
    groups = tomlkit.table()
    groups["dev"] = _lines(DEVELOPMENT)
    document["project"] = project
    document["dependency-groups"] = groups
    return tomlkit.dumps(document)


def _lines(items: Iterable[str]) -> tomlkit.items.Array:
    array = tomlkit.array()
    array.extend(items)
    return array.multiline(multiline=True)


def build_entry(parts: Parts) -> str:
    """Return the entry module: settings as a Python literal, handed to the production adapter."""
    template = Path(__file__).with_name("entry.py.template").read_text(encoding="utf-8")
    root = "\0"  # no path holds it
    lines = []
    for database in parts.databases:
        if database.env:
            url = " + str(ROOT) + ".join(repr(part) for part in database.url(root).split(root))
            lines.append(f"os.environ[{database.env!r}] = {url}\n")
    lines += [f"os.environ[{s.env!r}] = {s.url!r}\n" for s in parts.servers if s.env]
    return string.Template(template).substitute(
        name=worker_name(parts.project.settings.name),
        settings=pprint.pformat(parts.build_settings("."), sort_dicts=False, width=96),
        environment="".join(lines),
    )


def migrations_folder(parts: Parts, database: str) -> str:
    """Return the folder of a database's migrations: its own one when there are several."""
    return "migrations" if len(parts.select("d1")) == 1 else f"migrations/{database}"


def worker_name(text: str) -> str:
    """Return a name that Cloudflare takes: lower case letters, digits and dashes."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MAX_NAME].strip("-")
    return name or "app"


def _wrangler_text(config: dict[str, object]) -> str:
    head = "// Made by edgelift; yours to change: a changed file is kept and reported.\n"
    return head + json.dumps(config, indent=2, ensure_ascii=False) + "\n"
