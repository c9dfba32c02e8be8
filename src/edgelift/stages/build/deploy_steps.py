"""Writes DEPLOY.md of the Worker project: all commands to put the lifted app online, in order."""

from __future__ import annotations

from collections.abc import Iterator

from edgelift.stages.build.parts import Parts
from edgelift.stages.build.sql_project import SECRET, sql_worker_name

STEPS = "DEPLOY.md"
_HEAD = """# Deploying {name}

Made by edgelift. Every command runs in the folder of the backend, which holds `.edgelift`; each may
be repeated. Nothing here touches the origin.
"""
_D1_CREATE = """Create the databases of D1, and enter each id that is printed as `database_id`
beside its `database_name` in `.edgelift/build/worker/wrangler.jsonc`:

```
{commands}
```
"""
_D1_IMPORT = """Import the rows. The files make tables, rows, indexes, triggers and counters, and
mark the project's migrations as applied: `wrangler d1 migrations apply` is for later ones.

```
edgelift data . --import-files upload
{commands}
```

A file that failed half-way leaves tables behind: delete the database and create it again.

To have the rows proven there, or loaded without files, or followed while the app moves, deploy
`.edgelift/build/sql` with its address for as long (enter the ids in its wrangler.load.jsonc too):

```
export {secret}="$(openssl rand -hex 32)"
npx wrangler deploy --config .edgelift/build/sql/wrangler.load.jsonc
printenv {secret} | npx wrangler secret put {secret} --name {worker}
edgelift data . --upload https://{worker}.YOUR-SUBDOMAIN.workers.dev
edgelift follow . --upload https://{worker}.YOUR-SUBDOMAIN.workers.dev
npx wrangler {end}
```
"""
_OBJECTS = """Deploy the SQL objects with an address, load their rows, and take the address away.
The secret is any text of {shortest} characters or more; without it there is no door.

```
export {secret}="$(openssl rand -hex 32)"
npx wrangler deploy --config .edgelift/build/sql/wrangler.load.jsonc
printenv {secret} | npx wrangler secret put {secret} --name {worker}
edgelift data . --upload https://{worker}.YOUR-SUBDOMAIN.workers.dev
npx wrangler secret delete {secret} --name {worker}
npx wrangler deploy --config .edgelift/build/sql/wrangler.jsonc
```

Until its rows are loaded and proven, an object answers nobody but the door. A load that was killed
goes on with the same command; one of an object that the app has written is refused, unless
`--replace` says that this may be deleted.
"""
_HYPERDRIVE = """Create the Hyperdrive configurations, and enter each id as
`databases.hyperdrive_id` in edgelift.toml; then run `edgelift build .` again:

```
{commands}
```
"""
_SECRETS = """Put the app's secrets:

```
{commands}
```
"""
_APP = """Deploy the app:

```
cd .edgelift/build/worker && uv run pywrangler deploy
```
"""


def write_deploy_steps(parts: Parts, worker: str, d1_names: dict[str, str]) -> str:
    """Return the document; `d1_names` are the names in D1 of databases and shards, by their own."""
    steps = list(_list_steps(parts, worker, d1_names))
    numbered = (f"## Step {number}\n\n{step}" for number, step in enumerate(steps, 1))
    return "\n".join([_HEAD.format(name=parts.project.settings.name), *numbered])


def _list_steps(parts: Parts, worker: str, d1_names: dict[str, str]) -> Iterator[str]:
    config = "--config .edgelift/build/worker/wrangler.jsonc"
    sql = sql_worker_name(worker)
    if d1_names:
        made = [f"npx wrangler d1 create {name}" for name in d1_names.values()]
        yield _D1_CREATE.format(commands="\n".join(made))
        imported = [
            f"for file in upload/{name}/*.sql; do npx wrangler d1 execute {d1} --remote --yes "
            f'--file "$file" {config} || break; done'
            for name, d1 in d1_names.items()
        ]
        stays = parts.select("object")  # the Worker is theirs: it loses its address only
        end = f"{'deploy' if stays else 'delete'} --config .edgelift/build/sql/wrangler.jsonc"
        yield _D1_IMPORT.format(commands="\n".join(imported), secret=SECRET, worker=sql, end=end)
    if parts.select("object"):
        yield _OBJECTS.format(worker=sql, secret=SECRET, shortest=20)
    if parts.servers:
        made = [
            f'npx wrangler hyperdrive create {worker}-{server.name} --connection-string "$URL"'
            for server in parts.servers
            if not server.id
        ]
        if made:
            yield _HYPERDRIVE.format(commands="\n".join(made))
    if parts.secrets:
        made = [f"npx wrangler secret put {name} --name {worker}" for name in parts.secrets]
        yield _SECRETS.format(commands="\n".join(made))
    yield _APP
