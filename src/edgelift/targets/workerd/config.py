"""Writes workerd's configuration (Cap'n Proto text) for the build's boot and for the lifted app.

What differs between starts is no part of it: folders, socket and environment come from the command
line and from variables, so that the configuration of a bundle is made once. Grammar: workerd.capnp
of the workerd package.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

# Tried with the pinned workerd and Pyodide (python-holes.md); nodejs_compat is on since 2026-08-04.
COMPATIBILITY_DATE = "2026-11-01"
_V8_FLAGS = (
    # Without it the young generation takes about 50 MB more under load (python-holes.md section 2).
    "--max-semi-space-size=1",
    # Without it the first full collection waits so long that what D1's answers hold outside V8's
    # heap took 60 to 80 MB in a soak at 16 connections. It costs a warning in the log: workerd's
    # code cache was made for V8's own defaults. Start and first request are not slower.
    "--initial-old-space-size=2",
    # V8 lets its heap grow to more than the double of what the last full collection left: 25 MB
    # for 11 MB under load. At 1.4 times it is 17 MB.
    "--heap-growing-percent=40",
    # CPython's functions are optimized after a thirteenth of the work that V8 asks for by default:
    # 5 % off a request in the long run, 10 % in the first thousands; 300000 brings no more.
    "--wasm-tiering-budget=1000000",
    # CPython calls most functions through its types' slots: the optimizer may guess the target of
    # such a call and take it in, with a way back. 3.5 % off a request.
    "--wasm-inlining-call-indirect",
)
TOKEN_VARIABLE = "EDGELIFT_TOKEN"  # noqa: S105 - a variable's name
ENVIRONMENT_VARIABLE = "EDGELIFT_ENVIRONMENT"
HYPERDRIVE_VARIABLE = "EDGELIFT_HYPERDRIVE"
D1_UNIQUE_KEY = "edgelift-D1"
SQL_UNIQUE_KEY = "edgelift-SQL"
# The modules of the two database services, the main one first.
DATABASES_DISK = "databases"


@dataclass(frozen=True)
class Module:
    """A module: `kind` is workerd's (esModule, wasm, data, json), `file` lies beside the config."""

    name: str
    kind: str
    file: str


@dataclass(frozen=True)
class Hyperdrive:
    """A binding to a database server: `scheme` is postgresql or mysql.

    Where the server is and as whom it is opened is told at every start, and stands in no file.
    """

    binding: str
    scheme: str

    @property
    def service(self) -> str:
        """Return the name of the external service that stands for the server."""
        return f"hyperdrive-{self.binding}"


def quote_text(text: str) -> str:
    """Return a Cap'n Proto string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " else f"\\x{ord(c):02x}" for c in escaped) + '"'


def module_kind(name: str) -> str:
    """Return workerd's kind of a module by its file name."""
    return {"mjs": "esModule", "wasm": "wasm", "json": "json"}.get(name.rpartition(".")[2], "data")


def list_modules(main: str, names: Sequence[str], folder: str = "modules") -> list[Module]:
    """Return the modules with `main` first, as workerd wants it."""
    ordered = [main, *sorted(name for name in names if name != main)]
    return [Module(name, module_kind(name), f"{folder}/{name}") for name in ordered]


def _worker(name: str, modules: Sequence[Module], bindings: Sequence[str], extra: str = "") -> str:
    embedded = ",\n".join(
        f"    (name = {quote_text(m.name)}, {m.kind} = embed {quote_text(m.file)})" for m in modules
    )
    bound = ",\n".join(f"    {binding}" for binding in bindings)
    return (
        f"const {name} :Workerd.Worker = (\n"
        f'  compatibilityDate = "{COMPATIBILITY_DATE}",\n'
        f"  modules = [\n{embedded}\n  ],\n"
        f"  bindings = [\n{bound}\n  ],\n{extra});\n"
    )


def _config(services: Sequence[str], workers: Sequence[str]) -> str:
    listed = ",\n".join(f"    {service}" for service in services)
    flags = ", ".join(quote_text(flag) for flag in _V8_FLAGS)
    return (
        'using Workerd = import "/workerd/workerd.capnp";\n\n'
        "const config :Workerd.Config = (\n"
        f"  v8Flags = [{flags}],\n"
        f"  services = [\n{listed}\n  ],\n"
        '  sockets = [(name = "http", http = (), service = "main")],\n'
        ");\n\n" + "\n".join(workers)
    )


def _network(certificates: Sequence[str] = ()) -> str:
    """Return the service through which the app's own sockets go: everywhere, loopback included.

    `certificates` are PEM texts of private authorities that TLS trusts beside the public ones.
    """
    trusted = ", ".join(quote_text(text) for text in certificates)
    return (
        '(name = "internet", network = (allow = ["public", "private", "local"], '
        f"tlsOptions = (trustBrowserCas = true, trustedCertificates = [{trusted}])))"
    )


_FILES = '(name = "files", disk = ())'
_FILES_BINDING = '(name = "FILES", service = "files")'


def build_config(
    modules: Sequence[Module], databases: Sequence[str] = (), objects: Sequence[str] = ()
) -> str:
    """Return the configuration of the build's boot: the only one with the unsafeEval binding.

    `databases` and `objects` are as in `app_config`.
    """
    bindings = [_FILES_BINDING, '(name = "UNSAFE_EVAL", unsafeEval = void)']
    services = ['(name = "main", worker = .main)', _network(), _FILES]
    return _config(services, [_main(modules, services, bindings, databases, objects)])


def _main(
    modules: Sequence[Module],
    services: list[str],
    bindings: list[str],
    databases: Sequence[str],
    objects: Sequence[str],
) -> str:
    """Return the main worker with its databases, whose disk joins `services`."""
    bindings += [_d1_binding(name) for name in databases]
    bindings += [_sql_binding(name) for name in objects]
    if databases:
        bindings.append('(name = "DATABASES", durableObjectNamespace = "D1Database")')
    if databases or objects:
        services.append(f'(name = "{DATABASES_DISK}", disk = (writable = true))')
    return _worker("main", modules, bindings, _storage(databases, objects))


def app_config(
    modules: Sequence[Module],
    databases: Sequence[str],
    hyperdrives: Sequence[Hyperdrive] = (),
    certificates: Sequence[str] = (),
    objects: Sequence[str] = (),
) -> str:
    """Return the configuration of the lifted app with a binding for each database.

    One of `databases` is workerd's own D1 client around the entry point `D1Service` (js/d1.mjs),
    which learns from `ctx.props.database` which database is meant. One of `objects` is the
    namespace of `SqlObject` (js/sql_object.mjs), in which its object has the binding's name.
    `certificates`: see `_network`.
    """
    services = [
        '(name = "main", worker = .main)',
        _network(certificates),
        _FILES,
        '(name = "assets", disk = (allowDotfiles = true))',
    ]
    bindings = [
        _FILES_BINDING,
        '(name = "ASSETS", service = "assets")',
        f'(name = "{TOKEN_VARIABLE}", fromEnvironment = "{TOKEN_VARIABLE}")',
        f'(name = "{ENVIRONMENT_VARIABLE}", fromEnvironment = "{ENVIRONMENT_VARIABLE}")',
        *(_hyperdrive_binding(one) for one in hyperdrives),
    ]
    if hyperdrives:
        bindings.append(
            f'(name = "{HYPERDRIVE_VARIABLE}", fromEnvironment = "{HYPERDRIVE_VARIABLE}")'
        )
        services += [_hyperdrive_service(one) for one in hyperdrives]
    return _config(services, [_main(modules, services, bindings, databases, objects)])


def _d1_binding(name: str) -> str:
    props = quote_text(json.dumps({"database": name}))
    entry = f'name = "main", entrypoint = "D1Service", props = (json = {props})'
    inner = f'(name = "fetcher", service = ({entry}))'
    return (
        f"(name = {quote_text(name)}, wrapped = "
        f'(moduleName = "cloudflare-internal:d1-api", innerBindings = [{inner}]))'
    )


def _hyperdrive_service(hyperdrive: Hyperdrive) -> str:
    # The address is replaced on the command line; port 9 (discard) refuses until then.
    name = quote_text(hyperdrive.service)
    return f'(name = {name}, external = (address = "127.0.0.1:9", tcp = ()))'


def _hyperdrive_binding(hyperdrive: Hyperdrive) -> str:
    parts = {
        "designator": hyperdrive.service,
        "database": "edgelift",
        "user": "edgelift",
        "password": "edgelift",
        "scheme": hyperdrive.scheme,
    }
    inner = ", ".join(f"{name} = {quote_text(value)}" for name, value in parts.items())
    return f"(name = {quote_text(hyperdrive.binding)}, hyperdrive = ({inner}))"


def _sql_binding(name: str) -> str:
    return f'(name = {quote_text(name)}, durableObjectNamespace = "SqlObject")'


def _storage(databases: Sequence[str], objects: Sequence[str]) -> str:
    """Return the main worker's part that keeps databases: one disk, a folder for each namespace."""
    classes = [("D1Database", D1_UNIQUE_KEY)] if databases else []
    classes += [("SqlObject", SQL_UNIQUE_KEY)] if objects else []
    if not classes:
        return ""
    listed = ", ".join(
        f'(className = "{name}", uniqueKey = "{key}", enableSql = true)' for name, key in classes
    )
    return (
        f"  durableObjectNamespaces = [{listed}],\n"
        f'  durableObjectStorage = (localDisk = "{DATABASES_DISK}"),\n'
    )
