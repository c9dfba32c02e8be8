"""Builds the local runtime's bundle of a lifted Python app, which `start_worker` serves.

Layout: config.bin (workerd's configuration with all modules), files/ (files.pack, snapshot.bin),
assets/, bundle.json (written last; a folder without it is no bundle).
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from edgelift.errors import TargetError
from edgelift.targets.workerd.assets import Asset, list_assets
from edgelift.targets.workerd.boots import (
    DATABASE_JS,
    JS_FOLDER,
    Builder,
    SnapshotAnswer,
    write_files,
)
from edgelift.targets.workerd.config import (
    Hyperdrive,
    app_config,
    list_modules,
)
from edgelift.targets.workerd.container import write_container
from edgelift.targets.workerd.d1_storage import DatabaseSchema
from edgelift.targets.workerd.pack import (
    APP,
    LIBRARY,
    SITE_PACKAGES,
    WORKER_PACKAGE,
    FileSet,
    add_adapter,
    add_folder,
    add_standard_library,
    build_pack,
)
from edgelift.targets.workerd.runtime_cache import open_cache
from edgelift.toolchain import Toolchain

FORMAT = 1
RECORD = "bundle.json"
Note = Callable[[str], None]


@dataclass(frozen=True)
class BundleSpec:
    """What to build: `app_dir` becomes /app, `settings` is the document of worker/runtime.py.

    `adapter` becomes the package edgelift.worker. `env` are the variables visible while the
    snapshot is made; they are part of it, so the bundle is as secret as they are. `schemas` are the
    databases that the app's import may ask about their tables meanwhile. `certificates`
    are PEM texts of private authorities that the app's TLS connections trust.
    """

    app_dir: Path
    site_packages: Path
    settings: dict[str, Any]
    env: dict[str, str] = field(default_factory=dict)
    public_dir: Path | None = None
    adapter: Path = WORKER_PACKAGE
    schemas: tuple[DatabaseSchema, ...] = ()
    certificates: tuple[str, ...] = ()


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A built bundle; without a snapshot, `snapshot_error` and `traceback` say why.

    Python then boots from compiled files at every start. `notes` tell what the snapshot froze.
    """

    out: Path
    snapshot: bool
    snapshot_error: str
    inputs: str
    databases: tuple[str, ...]
    objects: tuple[str, ...] = ()
    hyperdrives: tuple[Hyperdrive, ...] = ()
    notes: tuple[str, ...] = ()
    traceback: str = ""
    sizes: dict[str, int] = msgspec.field(default_factory=dict)
    format: int = FORMAT


def read_bundle(out: Path) -> Bundle | None:
    """Return the bundle in a folder, None when there is none or another version wrote it."""
    try:
        bundle = msgspec.json.decode((out / RECORD).read_bytes(), type=Bundle, dec_hook=_to_path)
    except (OSError, msgspec.MsgspecError):
        return None
    if bundle.format != FORMAT or not (out / "config.bin").is_file():
        return None
    return msgspec.structs.replace(bundle, out=out)


def _to_path(kind: type, value: object) -> object:
    return kind(value)


def build_bundle(spec: BundleSpec, out: Path, toolchain: Toolchain, note: Note) -> Bundle:
    """Build the bundle into `out`, or return the one there when nothing it depends on changed.

    An app that cannot be imported while the snapshot is made still gives a bundle, see
    `Bundle.snapshot_error`. Raises TargetError when the runtime itself does not work.
    """
    files = _collect_files(spec, toolchain)
    assets, contents = list_assets(spec.public_dir)
    inputs = _hash_inputs(spec, files, assets, toolchain)
    existing = read_bundle(out)
    if existing is not None and existing.inputs == inputs:
        return existing
    with _open_scratch(out) as scratch:
        builder = Builder(
            toolchain=toolchain,
            cache=open_cache(toolchain),
            files=files,
            environment=spec.env,
            working_directory=_root(spec),
            scratch=scratch,
            log=out.parent / f"{out.name}-build.log",
            schemas=spec.schemas,
        )
        builder.log.unlink(missing_ok=True)
        work = _Work(spec, builder, scratch / "bundle", assets, contents)
        bundle = work.build(inputs, note)
        _replace_folder(work.folder, out)
    return msgspec.structs.replace(bundle, out=out)


@contextlib.contextmanager
def _open_scratch(out: Path) -> Iterator[Path]:
    """Yield a fresh folder beside `out`; what a killed build left there is removed."""
    scratch = out.with_name(f".{out.name}-build")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
    except OSError as error:
        raise TargetError(
            f"The folder {scratch} cannot be made",
            why=str(error.strerror),
            tip="check the permissions of the folder above it",
        ) from error
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _root(spec: BundleSpec) -> str:
    return str(spec.settings.get("root", APP))


def _collect_files(spec: BundleSpec, toolchain: Toolchain) -> FileSet:
    files = FileSet()
    add_standard_library(files, toolchain.pyodide)
    add_folder(files, spec.site_packages, SITE_PACKAGES)
    add_adapter(files, spec.adapter)
    add_folder(files, spec.app_dir, APP)
    return files


def _hash_inputs(
    spec: BundleSpec, files: FileSet, assets: dict[str, Asset], toolchain: Toolchain
) -> str:
    digest = hashlib.sha256()
    parts = [FORMAT, files.digest(), spec.settings, spec.env, assets, str(toolchain.workerd)]
    parts += [spec.certificates, spec.schemas]
    digest.update(msgspec.json.encode(parts, order="deterministic"))
    sources = [*JS_FOLDER.glob("*.mjs"), *Path(__file__).parent.glob("*.py")]
    for source in sorted(sources):
        digest.update(source.read_bytes())
    return digest.hexdigest()


@dataclass
class _Work:
    """One build in a temporary folder."""

    spec: BundleSpec
    builder: Builder
    folder: Path
    assets: dict[str, Asset]
    contents: dict[str, bytes]

    def build(self, inputs: str, note: Note) -> Bundle:
        compiled = self.builder.compile_missing(note)
        note("importing the app in the Worker's Python to take a memory snapshot")
        answer = self.builder.make_snapshot(compiled, self.spec.settings)
        if not answer.error:
            self._write(compiled, answer)
            answer.error = self._check_restored(answer)
        if answer.error:
            note(f"no memory snapshot: {answer.error.splitlines()[0]}")
            shutil.rmtree(self.folder, ignore_errors=True)
            self._write(compiled, answer)
        bundle = msgspec.structs.replace(
            self._describe(answer), inputs=inputs, sizes=_measure(self.folder)
        )
        encoded = msgspec.json.encode(bundle, enc_hook=str)
        write_files(self.folder, {RECORD: encoded})
        return bundle

    def _describe(self, answer: SnapshotAnswer) -> Bundle:
        return Bundle(
            out=self.folder,
            snapshot=not answer.error,
            snapshot_error=answer.error,
            inputs="",
            databases=self._databases(),
            objects=self._databases("object"),
            hyperdrives=self._hyperdrives(),
            notes=tuple(answer.notes),
            traceback=answer.traceback,
        )

    def _databases(self, strategy: str = "d1") -> tuple[str, ...]:
        """Return the bindings of a strategy; shards in D1 have one each."""
        listed = self.spec.settings.get("databases", [])
        named = [d for d in listed if d.get("strategy", "d1") == strategy]
        found = [
            binding
            for database in named
            for binding in database.get("shards", {}).get("bindings", {}).values()
            or [database["binding"]]
        ]
        return tuple(dict.fromkeys(found))

    def _hyperdrives(self) -> tuple[Hyperdrive, ...]:
        listed = self.spec.settings.get("databases", [])
        return tuple(
            Hyperdrive(binding=d["binding"], scheme=d["engine"])
            for d in listed
            if d.get("strategy") == "hyperdrive"
        )

    def _write(self, compiled: dict[str, bytes], answer: SnapshotAnswer) -> None:
        """Write everything but the record; the snapshot only when `answer` has one."""
        emptied: frozenset[str] = frozenset()
        files: dict[str, bytes] = {}
        if not answer.error:
            # Of what the snapshot has imported the source is enough, for tracebacks and reloads: it
            # takes half of what the compiled form does.
            compiled = {p: data for p, data in compiled.items() if p not in answer.imported}
            emptied = _emptied_sources(compiled)
            files["snapshot.bin"] = write_container(answer.head, [answer.body])
        files["files.pack"] = build_pack(self.builder.files.files, compiled, emptied, small=True)
        write_files(self.folder / "files", files)
        if not answer.error:
            # The heap holds the values of `env`.
            (self.folder / "files" / "snapshot.bin").chmod(0o600)
        write_files(self.folder / "assets", self.contents)
        self._write_config(snapshot=not answer.error)

    def _write_config(self, *, snapshot: bool) -> None:
        modules = self.builder.runtime_modules()
        for name in ("worker.mjs", "assets.mjs", "calls.mjs", *DATABASE_JS):
            modules[name] = (JS_FOLDER / name).read_bytes()
        settings = {"snapshot": snapshot, "root": _root(self.spec), "app": self.spec.settings}
        modules["settings.json"] = msgspec.json.encode(settings)
        modules["assets.json"] = msgspec.json.encode(self.assets)
        text = app_config(
            list_modules("worker.mjs", list(modules)),
            self._databases(),
            self._hyperdrives(),
            self.spec.certificates,
            self._databases("object"),
        )
        folder = self.builder.scratch / "config"
        write_files(folder / "modules", modules)
        write_files(folder, {"config.capnp": text.encode()})
        compile_config(self.builder.toolchain, folder, self.folder / "config.bin")
        shutil.rmtree(folder)

    def _check_restored(self, answer: SnapshotAnswer) -> str:
        """Start from the snapshot once and return "" when it came back whole, else what differs."""
        from edgelift.targets.workerd.worker import read_function_table

        try:
            table = read_function_table(
                self._describe(answer), self.builder.toolchain, self.builder.log
            )
        except TargetError as error:
            return f"the snapshot does not start: {error.why}"
        for slot, (expected, found) in enumerate(zip(answer.table, table, strict=False)):
            if expected != found:
                return (
                    f"the import left a JavaScript function in slot {slot} of Python's function "
                    "table (a ctypes callback, for example), which a snapshot cannot hold"
                )
        return ""


def compile_config(toolchain: Toolchain, folder: Path, target: Path) -> None:
    """Write the binary form of folder/config.capnp with all its modules; raises TargetError.

    The binary form needs a third less memory than text (python-holes.md section 2).
    """
    command = [str(toolchain.workerd), "compile", "--config-only", "config.capnp"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TargetError(
            "workerd cannot be started",
            why=str(error),
            tip="remove the toolchain cache and run again: it is downloaded anew",
        ) from error
    if done.returncode != 0:
        raise TargetError(
            "workerd refuses the generated configuration",
            why=done.stderr.decode("utf-8", "replace")[:2000],
            tip="report this as a bug of edgelift, with the text above",
        )
    write_files(target.parent, {target.name: done.stdout})


def _emptied_sources(compiled: Iterable[str]) -> frozenset[str]:
    """Return the sources that only take memory: the standard library's, where it is compiled.

    Nothing but a traceback would read them; those of the app and of packages stay whole.
    """
    return frozenset(
        path for path in compiled if path.startswith(LIBRARY) and not path.startswith(SITE_PACKAGES)
    )


def _measure(folder: Path) -> dict[str, int]:
    sizes = {"assets": sum(f.stat().st_size for f in (folder / "assets").iterdir())}
    for name in ("config.bin", "files/files.pack", "files/snapshot.bin"):
        file = folder / name
        sizes[file.stem] = file.stat().st_size if file.exists() else 0
    return sizes


def _replace_folder(new: Path, target: Path) -> None:
    """Put `new` in the place of `target`; a kill in between leaves no bundle, never a mixed one."""
    try:
        if target.exists():
            target.rename(new.with_name("old"))
        new.rename(target)
    except OSError as error:
        raise TargetError(
            f"The bundle cannot be put into {target}",
            why=str(error.strerror),
            tip="check the permissions of the folder, and that no other run uses it",
        ) from error
