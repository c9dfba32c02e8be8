"""Put on PYTHONPATH by edgelift: sees what an app gives to models and databases, makes those fail.

Python imports a module of this name at its start. One that the origin has itself is run as well.
"""

import importlib
import importlib.util
import os
import sys
from pathlib import Path


def run_file(path: Path, name: str) -> None:
    """Run a Python file as a module."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)


here = Path(__file__).resolve().parent
if os.environ.get("EDGELIFT_CAPTURE"):
    run_file(here.parent / "capture_estimators.py", "_edgelift_capture")
if os.environ.get("EDGELIFT_FAULTS"):
    run_file(here.parent / "inject_faults.py", "_edgelift_faults")
if os.environ.get("EDGELIFT_FAULTS") or os.environ.get("EDGELIFT_RECORD"):
    importlib.import_module("edgelift_drivers").start()
for folder in map(Path, sys.path):
    if folder.resolve() != here and (folder / "sitecustomize.py").is_file():
        run_file(folder / "sitecustomize.py", "_origin_sitecustomize")
        break
