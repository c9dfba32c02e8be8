"""Writes the databases' own Worker project where there is no app to build: `move` and `follow`."""

from __future__ import annotations

from collections.abc import Mapping

from edgelift.errors import UsageError
from edgelift.run import Run
from edgelift.sources.shard_files import list_placed, read_map
from edgelift.stages.build.generated import BASE, worker_name
from edgelift.stages.build.parts import Database
from edgelift.stages.build.sql_project import SECRET, build_sql_files, sql_worker_name
from edgelift.stages.build.tree import write_tree
from edgelift.targets.migrations import SCHEMA_PARTS

_CREATE = """Create the databases of D1, and enter each id that is printed as `database_id`
beside its `database_name` in `wrangler.load.jsonc`:

```
{commands}
```

"""
_STEPS = """# Deploying the databases

Made by edgelift. Commands run in this folder, those of edgelift in the project's.

{create}Deploy them with an address, and give their door a secret of 20 characters
or more; without one there is no door.

```
export {secret}="$(openssl rand -hex 32)"
npx wrangler deploy --config wrangler.load.jsonc
printenv {secret} | npx wrangler secret put {secret} --name {worker}
```

Load the rows, or load them and follow what changes:

```
edgelift data . --upload https://{worker}.YOUR-SUBDOMAIN.workers.dev
edgelift follow . --upload https://{worker}.YOUR-SUBDOMAIN.workers.dev
```

Close the door:

```
npx wrangler secret delete {secret} --name {worker}
```
"""


def write_door_project(run: Run) -> None:
    """Write `.edgelift/build/sql` of a project without an app; a file its user changed is kept.

    Raises UsageError before the schema was made.
    """
    settings = run.project.settings
    if settings.has_app:
        return
    databases = [
        Database(
            name=placed.name, binding=placed.binding, path="", strategy=placed.strategy,
            shards=read_map(settings.data, run.journal, placed.name),
        )
        for placed in list_placed(settings, run.journal)
    ]  # fmt: skip
    objects = tuple(database for database in databases if database.strategy == "object")
    d1 = {
        member.binding: worker_name(f"{settings.name}-{member.name}")
        for database in databases
        if database.strategy == "d1"
        for member in database.members
    }
    schema = {database.name: _read_schema(run, database.name) for database in objects}
    files = build_sql_files(worker_name(settings.name), BASE, objects, schema, d1)
    files["DEPLOY.md"] = _write_steps(sql_worker_name(worker_name(settings.name)), d1).encode()
    folder = run.project.folder("build")
    outcome = write_tree(run.project.folder("build", "sql"), folder / "sql-manifest.json", files)
    for name in outcome.edited:
        run.note(f".edgelift/build/sql/{name} was changed by hand and is kept")


def _write_steps(worker: str, d1: Mapping[str, str]) -> str:
    """Return the commands that deploy the project and take it away again."""
    made = "\n".join(f"npx wrangler d1 create {name}" for name in d1.values())
    create = _CREATE.format(commands=made) if d1 else ""
    return _STEPS.format(create=create, worker=worker, secret=SECRET)


def _read_schema(run: Run, name: str) -> dict[str, bytes]:
    folder = run.project.state / "schema"
    try:
        return {
            part: (folder / f"{name}.{ending}.sql").read_bytes()
            for ending, part in SCHEMA_PARTS.items()
        }
    except OSError as error:
        raise UsageError(
            f"The database {name} was not judged yet",
            why=str(error),
            tip=f"run: {run.command('schema')}",
        ) from error
