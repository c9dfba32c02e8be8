"""The Worker project of the databases, beside the app's: small, in JavaScript, the user's own.

One class per database with the strategy `object`; the app reaches them through the entrypoint
SqlGateway (js/sql_gateway.mjs), a service binding in its own wrangler.jsonc. They, and D1, have
their door here, by which rows and changes come in while the app moves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from edgelift.stages.build.parts import Database
from edgelift.targets.migrations import number_migrations
from edgelift.targets.workerd.boots import JS_FOLDER

ENTRYPOINT = "SqlGateway"
SECRET = "EDGELIFT_LOAD_SECRET"  # noqa: S105 - a variable's name
DOOR_MODULES = ("row_sum.mjs", "sql_applying.mjs", "sql_door.mjs", "sql_values.mjs")
OBJECT_MODULES = (
    "sql_gateway.mjs",
    "sql_groups.mjs",
    "sql_loading.mjs",
    "sql_migrations.mjs",
    "sql_object.mjs",
    "sql_session.mjs",
)
_ABOUT = """// The databases of {name}, written by edgelift; the file is yours to change.
// The order of all commands is in ../worker/DEPLOY.md.
"""
_BEFORE = """// Deploy this Worker before the app's, which is bound to its entrypoint {entrypoint}.
"""
_LOADING = """// The same Worker while rows and changes come in: wrangler.jsonc has no address.
"""
_LOADS = """// @ts-check
/** Objects that stay closed until their rows were loaded; remove one that is to begin empty. */
export const loads = {names};
"""


def build_sql_files(
    worker: str,
    base: Mapping[str, object],
    databases: tuple[Database, ...],
    schema: Mapping[str, Mapping[str, bytes]],
    d1: Mapping[str, str] | None = None,
) -> dict[str, bytes]:
    """Return all files of the project by name, none without databases.

    `worker` is the app's Worker name, `base` are entries of wrangler.jsonc common to both projects,
    `databases` those that become objects, `schema` their migrations by database and name, in
    order; `d1` are the names in D1 of the others by binding.
    """
    d1 = d1 or {}
    if not (databases or d1):
        return {}
    name = sql_worker_name(worker)
    settings = _build_config(name, base, databases, d1)
    config = json.dumps(settings, indent=2, ensure_ascii=False)
    loading = json.dumps({**settings, "workers_dev": True}, indent=2, ensure_ascii=False)
    objects = [member.object_name for database in databases for member in database.members]
    about = _ABOUT.format(name=worker) + (_BEFORE.format(entrypoint=ENTRYPOINT) if objects else "")
    files = {
        "wrangler.jsonc": f"{about}{config}\n",
        "wrangler.load.jsonc": f"{about}{_LOADING}{loading}\n",
        "src/index.mjs": _build_index(databases, list(d1)),
        ".gitignore": "node_modules/\n.wrangler/\n",
    }
    if objects:
        files["src/loads.mjs"] = _LOADS.format(names=json.dumps(objects, indent=2))
    for database in databases:
        files[f"src/migrations/{database.name}.mjs"] = _build_migrations(schema[database.name])
    modules = (*DOOR_MODULES, *(OBJECT_MODULES if objects else ()))
    files |= {f"src/{module}": (JS_FOLDER / module).read_text("utf-8") for module in modules}
    return {name: text.encode() for name, text in files.items()}


def sql_worker_name(worker: str) -> str:
    """Return the name of the SQL objects' Worker beside the app's."""
    return f"{worker[:59]}-sql"  # a Worker's name is a DNS label of 63 letters


def build_services(worker: str, databases: tuple[Database, ...]) -> list[dict[str, object]]:
    """Return the service bindings of the app's Worker, one per database."""
    return [
        {
            "binding": database.binding,
            "service": sql_worker_name(worker),
            "entrypoint": ENTRYPOINT,
            "props": {"object": database.binding},
        }
        for database in databases
    ]


def _class_name(database: Database) -> str:
    return f"Sql_{database.binding}"


def _build_config(
    name: str,
    base: Mapping[str, object],
    databases: tuple[Database, ...],
    d1: Mapping[str, str],
) -> dict[str, object]:
    classes = [_class_name(database) for database in databases]
    config: dict[str, object] = {
        **base, "name": name, "main": "src/index.mjs", "workers_dev": False
    }  # fmt: skip
    if databases:
        config["durable_objects"] = {
            "bindings": [
                {"name": database.binding, "class_name": _class_name(database)}
                for database in databases
            ]
        }
        config["migrations"] = [{"tag": "v1", "new_sqlite_classes": classes}]
    if d1:
        named = d1.items()
        config["d1_databases"] = [{"binding": b, "database_name": n} for b, n in named]
    return config


def _build_index(databases: tuple[Database, ...], d1: list[str]) -> str:
    lines = ["// @ts-check", "import { answerDoor } from './sql_door.mjs';"]
    if databases:
        lines.append("import { withMigrations } from './sql_migrations.mjs';")
    for number, database in enumerate(databases):
        lines.append(
            f"import {{ migrations as m{number} }} from './migrations/{database.name}.mjs';"
        )
    bindings = [database.binding for database in databases]
    lines.append("")
    if databases:
        lines += [f"export {{ {ENTRYPOINT} }} from './sql_gateway.mjs';", ""]
    for number, database in enumerate(databases):
        lines.append(f"export class {_class_name(database)} extends withMigrations(m{number}) {{}}")
    lines += [
        "",
        "export default {",
        "  // Reached by service bindings only, but for rows and changes that come before the app.",
        "  /** @param {Request} request @param {any} env */",
        "  fetch: (request, env) =>",
        f"    answerDoor(request, env, {json.dumps(bindings)}, {json.dumps(d1)}),",
        "};",
        "",
    ]
    return "\n".join(lines)


def _build_migrations(schema: Mapping[str, bytes]) -> str:
    listed = [made._asdict() for made in number_migrations(schema)]
    text = json.dumps(listed, indent=2, ensure_ascii=False)
    about = "// @ts-check\n/** The database's schema; each entry is applied once, in order. */\n"
    return f"{about}export const migrations = {text};\n"
