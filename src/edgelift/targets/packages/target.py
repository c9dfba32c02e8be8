"""The Worker's Python as packaging sees it, its tags and markers; used by the modules here."""

from __future__ import annotations

PYTHON_VERSION = "3.14"
PLATFORM = "pyemscripten_2026_0_wasm32"  # PEP 783 platform of Pyodide 314
ABIS = ("cp314", "abi3")
# Printed by npm pyodide 314.0.7 itself; the same Python as compatibility dates from 2026-09-08 on.
MARKERS: dict[str, str] = {
    "implementation_name": "cpython",
    "implementation_version": "3.14.2",
    "os_name": "posix",
    "platform_machine": "wasm32",
    "platform_python_implementation": "CPython",
    "platform_release": "5.0.3",
    "platform_system": "Emscripten",
    "platform_version": "#1",
    "python_full_version": "3.14.2",
    "python_version": PYTHON_VERSION,
    "sys_platform": "emscripten",
}
