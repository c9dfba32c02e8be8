"""The build's own boots of Python in workerd: compile sources, take the memory snapshot."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from edgelift.errors import TargetError
from edgelift.targets.workerd.config import DATABASES_DISK, build_config, list_modules
from edgelift.targets.workerd.container import read_container
from edgelift.targets.workerd.d1_storage import DatabaseSchema, database_folder, write_schema
from edgelift.targets.workerd.pack import FileSet, build_pack
from edgelift.targets.workerd.patches import read_patched
from edgelift.targets.workerd.process import Launch, run_workerd
from edgelift.targets.workerd.runtime_cache import RuntimeCache
from edgelift.toolchain import Toolchain

JS_FOLDER = Path(__file__).parent / "js"
MAIN_WASM = "pyodide.asm.wasm"
SHARED_JS = (
    "wasm_lookup.mjs",
    "container.mjs",
    "filesystem.mjs",
    "snapshot.mjs",
    "interpreter.mjs",
    "host.mjs",
    "schema_reads.mjs",
    "d1_query.mjs",
    "sql_session.mjs",
    "sql_values.mjs",
)
DATABASE_JS = ("d1.mjs", "sql_groups.mjs", "sql_object.mjs")
# A cold boot from sources takes 5 to 20 s on a busy machine (python-in-workerd.md section 2).
_BOOT_TIMEOUT_S = 300.0


@dataclass
class SnapshotAnswer:
    """What the snapshot boot said: `error` is why there is none; `body` is the heap's pages."""

    error: str
    traceback: str = ""
    notes: list[str] = field(default_factory=list)
    imported: frozenset[str] = frozenset()
    head: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""
    table: list[str] = field(default_factory=list)


@dataclass
class Builder:
    """The parts all boots of one build share."""

    toolchain: Toolchain
    cache: RuntimeCache
    files: FileSet
    environment: Mapping[str, str]
    working_directory: str
    scratch: Path
    log: Path
    schemas: Sequence[DatabaseSchema] = ()

    def runtime_modules(self) -> dict[str, bytes]:
        """Return Pyodide, our JavaScript and every known wasm module, by module name."""
        modules = {
            name: text.encode() for name, text in read_patched(self.toolchain.pyodide).items()
        }
        modules |= {name: (JS_FOLDER / name).read_bytes() for name in SHARED_JS}
        modules[MAIN_WASM] = (self.toolchain.pyodide / MAIN_WASM).read_bytes()
        known = {**self.cache.read_recorded(), **self.files.modules}
        names = {key: f"wasm/{index:03}.wasm" for index, key in enumerate(sorted(known))}
        modules |= {names[key]: data for key, data in known.items()}
        modules["wasm_table.mjs"] = write_wasm_table(names).encode()
        return modules

    def compile_missing(self, note: Callable[[str], None]) -> dict[str, bytes]:
        """Return the compiled form of all sources; what the cache lacks is compiled in one boot."""
        sources = self.files.sources()
        compiled = {path: self.cache.read_compiled(path, data) for path, data in sources.items()}
        missing = [path for path, data in compiled.items() if data is None]
        if missing:
            note(f"compiling {len(missing)} Python files for the Worker's CPython")
            head, body = self._run("/compile", compiled, {"paths": missing})
            offset = 0
            for path, length in zip(missing, head["files"], strict=True):
                data = bytes(body[offset : offset + length])
                self.cache.keep_compiled(path, sources[path], data)
                compiled[path] = data
                offset += length
            self._keep_recorded(head, body[offset:])
        return {path: data for path, data in compiled.items() if data}

    def make_snapshot(self, compiled: Mapping[str, bytes], settings: object) -> SnapshotAnswer:
        """Import the app in a boot of its own; return the snapshot, or why there is none."""
        text = msgspec.json.encode(settings).decode()
        try:
            head, body = self._run("/snapshot", compiled, {"settings": text})
        except TargetError as error:
            # The app's import took the interpreter with it; every start will say so again.
            return SnapshotAnswer(error=f"{error.what}: {error.why}")
        report, size = head["report"], head.get("size", 0)
        self._keep_recorded(head, body[size:])
        return SnapshotAnswer(
            error=report["error"],
            traceback=report["traceback"],
            notes=report["notes"],
            imported=frozenset(report["imported"]),
            head=head.get("snapshot", {}),
            body=bytes(body[:size]),
            table=head.get("table", []),
        )

    def _keep_recorded(self, head: dict[str, Any], body: memoryview) -> None:
        offset = 0
        modules: dict[str, bytes] = {}
        for key, length in head["recorded"]:
            modules[key] = bytes(body[offset : offset + length])
            offset += length
        self.cache.keep_recorded(modules)

    def _run(
        self, path: str, compiled: Mapping[str, bytes | None], request: dict[str, Any]
    ) -> tuple[dict[str, Any], memoryview]:
        request |= {
            "environment": dict(self.environment),
            "workingDirectory": self.working_directory,
            "program": Path(__file__).with_name("in_wasm.py").read_text("utf-8"),
        }
        known = {name: data for name, data in compiled.items() if data}
        with tempfile.TemporaryDirectory(prefix="boot-", dir=self.scratch) as folder:
            launch = self._prepare(Path(folder), known)
            with run_workerd(launch) as process:
                status, answer = process.request(
                    path,
                    body=msgspec.json.encode(request),
                    headers={"content-type": "application/json"},
                    timeout_s=_BOOT_TIMEOUT_S,
                )
        if status != 200:
            raise TargetError(
                "Python does not start in workerd",
                why=answer.decode("utf-8", "replace")[:2000],
                tip=f"the build's log is {self.log}",
            )
        return read_container(answer)

    def _prepare(self, folder: Path, compiled: Mapping[str, bytes]) -> Launch:
        modules = self.runtime_modules()
        for name in ("build.mjs", *DATABASE_JS):
            modules[name] = (JS_FOLDER / name).read_bytes()
        write_files(folder / "modules", modules)
        write_files(folder / "files", {"files.pack": build_pack(self.files.files, compiled)})
        config = folder / "config.capnp"
        names = {
            strategy: list(dict.fromkeys(s.binding for s in self.schemas if s.strategy == strategy))
            for strategy in ("d1", "object")
        }
        listed = list_modules("build.mjs", list(modules))
        config.write_text(build_config(listed, names["d1"], names["object"]), "utf-8")
        folders = {"files": folder / "files"}
        if self.schemas:
            folders[DATABASES_DISK] = database_folder(folder)
        for schema in self.schemas:
            write_schema(schema, folder)
        return Launch(
            workerd=self.toolchain.workerd,
            config=config,
            folders=folders,
            log=self.log,
            experimental=True,  # the unsafeEval binding needs it; bundles do not have either
        )


def write_wasm_table(names: Mapping[str, str]) -> str:
    """Return the JavaScript module that maps keys to precompiled modules."""
    ordered = sorted(names)
    lines = [f"import main from './{MAIN_WASM}';"]
    lines += [f"import m{i} from './{names[key]}';" for i, key in enumerate(ordered)]
    entries = ",\n".join(f"  ['{key}', m{i}]" for i, key in enumerate(ordered))
    lines.append("export const mainModule = main;")
    lines.append(f"export const modulesByKey = new Map([\n{entries}\n]);\n")
    return "\n".join(lines)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder; raises TargetError when the disk refuses."""
    target = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    except OSError as error:
        raise TargetError(
            "The Worker's files cannot be written",
            why=f"{target}: {error.strerror}",  # a full disk is reported without a file name
            tip="check the free space and the permissions of the folder",
        ) from error
