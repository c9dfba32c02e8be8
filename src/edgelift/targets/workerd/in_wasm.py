"""Runs inside the build's boot of the wasm CPython: compiles sources, imports the app.

The build reads this file as text and sends it along; nothing imports it on the tool's side.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from importlib import _bootstrap_external as external
from typing import Any


def compile_files(paths_json: str) -> list[bytes]:
    """Return the unchecked-hash .pyc of each source, b"" for one that does not compile.

    Only this CPython can make them (the host has another version), and "unchecked" spares the
    import system a look at the source. Format: PEP 552.
    """
    import _imp
    import warnings

    warnings.simplefilter("ignore")
    compiled = []
    for path in json.loads(paths_json):
        with open(path, "rb") as handle:  # noqa: PTH123
            source = handle.read()
        try:
            code = compile(source, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            compiled.append(b"")
            continue
        digest = _imp.source_hash(_imp.pyc_magic_number_token, source)  # type: ignore[attr-defined]
        to_pyc = external._code_to_hash_pyc  # type: ignore[attr-defined]  # noqa: SLF001
        compiled.append(bytes(to_pyc(code, digest, checked=False)))
    return compiled


def configure_app(settings_json: str) -> str:
    """Import the app; return JSON: `error` ("": none), `traceback`, `notes`, `imported` files."""
    notes: list[str] = []
    unwatch = _watch_randomness(json.loads(settings_json).get("root", "/app"), notes)
    report: dict[str, Any] = {"error": "", "traceback": "", "notes": notes, "imported": []}
    try:
        from edgelift.worker import runtime

        runtime.configure(settings_json)  # type: ignore[attr-defined, unused-ignore]
    except BaseException as error:  # noqa: BLE001 - even an app's SystemExit is only a reason
        report["error"] = "".join(traceback.format_exception_only(error)).strip()
        report["traceback"] = "".join(traceback.format_exception(error))
    unwatch()
    report["imported"] = sorted(
        {
            file
            for module in list(sys.modules.values())
            if isinstance(file := getattr(module, "__file__", None), str) and file.endswith(".py")
        }
    )
    sys.last_exc = sys.last_value = sys.last_traceback = None  # type: ignore[attr-defined]
    gc.collect()
    return json.dumps(report)


def _watch_randomness(root: str, notes: list[str]) -> Any:
    """Note which lines of the app read random bytes at import: isolates will share the values."""
    original = os.urandom
    seen: set[str] = set()
    watching = True

    def urandom(size: int, /) -> bytes:
        frame = sys._getframe(1) if watching else None  # noqa: SLF001
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith("<frozen importlib"):
                break  # a library's own import, not a value of the app
            if file.startswith(root + "/") and f"{file}:{frame.f_lineno}" not in seen:
                seen.add(f"{file}:{frame.f_lineno}")
                notes.append(
                    f"{file[len(root) + 1 :]}:{frame.f_lineno} reads random bytes at import; "
                    "the value is fixed in the snapshot and shared by all isolates"
                )
            frame = frame.f_back
        return original(size)

    holders = [m for m in (os, sys.modules.get("random")) if m is not None]
    names = {"os": "urandom", "random": "_urandom"}
    for holder in holders:
        setattr(holder, names[holder.__name__], urandom)

    def unwatch() -> None:
        nonlocal watching
        watching = False
        for holder in holders:
            setattr(holder, names[holder.__name__], original)

    return unwatch
