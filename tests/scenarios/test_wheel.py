"""The built wheel in an empty virtual environment: all that a user's machine needs is Python."""

from __future__ import annotations

import os
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
    assert any(name.endswith(".mjs") for name in wanted)


def test_the_command_line_works(venv: Path) -> None:
    assert "lift" in run(venv / "bin/edgelift", "--help")


def test_toolchain_and_packages_work(venv: Path, tmp_path: Path) -> None:
    told = run(venv / "bin/python", "-c", PROGRAM, EDGELIFT_CACHE=str(tmp_path))
    assert told.splitlines()[-1] == "works"
