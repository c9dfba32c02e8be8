"""The built wheel in an empty virtual environment: all that a user's machine needs is Python.

The lift reads this checkout's download cache (the toolchain's own test begins with an empty one),
but has no virtual environment of the origin: edgelift makes it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from pathlib import Path
from edgelift.targets.packages import install_packages, resolve_packages
from edgelift.toolchain import cache_root, ensure_toolchain

toolchain = ensure_toolchain(note=print)
assert toolchain.workerd.is_relative_to(cache_root())
assert (toolchain.pyodide / "pyodide.asm.wasm").is_file()
assert Path(sys.prefix) in toolchain.node.parents
found = resolve_packages(["markupsafe", "tzdata"], cache=cache_root(), note=print)
assert [wheel.pure for wheel in found.wheels] == [True, True], found
install_packages(found, cache_root() / "modules", cache=cache_root())
print("works")
"""


def run(*command: object, **environment: str) -> str:
    # Nothing of this checkout's environment may help.
    clean = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env={**clean, **environment},
        cwd="/",
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", out, ROOT)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty") / "venv"
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", wheel)
    return folder


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    tracked = run("git", "-C", ROOT, "ls-files", "src/edgelift").split()
    wanted = {name.removeprefix("src/") for name in tracked if (ROOT / name).is_file()}
    assert wanted <= set(zipfile.ZipFile(wheel).namelist())
    assert any(name.endswith("package-lock.json") for name in wanted)
    endings = {Path(name).suffix for name in wanted}
    assert {".py", ".mjs", ".json", ".toml", ".template", ".jinja", ".typed"} <= endings


def test_the_command_line_works(venv: Path) -> None:
    assert "lift" in run(venv / "bin/edgelift", "--help")


def test_a_backend_is_lifted(venv: Path, tmp_path: Path) -> None:
    backend = tmp_path / "notes"
    shutil.copytree(ROOT / "tests" / "apps" / "notes", backend)
    (backend / "requirements.txt").write_text("flask\npytest\n")
    run(sys.executable, backend / "make_db.py", "40")
    told = json.loads(run(venv / "bin/edgelift", "lift", backend, "--exit", "--json"))
    statuses = {check["id"]: check["status"] for check in told["checks"]}
    assert set(statuses.values()) <= {"PASS", "SKIPPED"}
    assert {n for n, s in statuses.items() if s == "SKIPPED"} == {"build.models", "verify.models"}
    assert (backend / ".edgelift/origin-venv/bin/python").exists()
    report = json.loads((backend / ".edgelift/report/report.json").read_text())
    assert report["verdict"] == "PASS"


def test_toolchain_and_packages_work(venv: Path, tmp_path: Path) -> None:
    told = run(venv / "bin/python", "-c", PROGRAM, EDGELIFT_CACHE=str(tmp_path))
    assert told.splitlines()[-1] == "works"
