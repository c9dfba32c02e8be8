"""Builds projects that publish no fitting wheel from source, without their native code."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from edgelift.targets.packages.knowledge import find_pure_build

BUILD_TIMEOUT_S = 600
NATIVE_SUFFIXES = (".so", ".pyd", ".dylib", ".dll", ".a", ".o")


class BuildError(Exception):
    """A project cannot be built without native code; the text says why, for a finding."""


def build_pure(wanted: str, cache: Path) -> Path:
    """Return a wheel without native code for a requirement, built by pip or kept from before.

    Every C compiler call fails on purpose: projects with optional C parts go on without. Raises
    BuildError when none comes out.
    """
    requirement = Requirement(wanted)
    requirement.marker = None
    requirement.extras = set()
    key = hashlib.sha256(str(requirement).encode()).hexdigest()[:16]
    kept = cache / "pure" / f"{canonicalize_name(requirement.name)}-{key}"
    if not (wheels := sorted(kept.glob("*.whl"))):
        with tempfile.TemporaryDirectory() as folder:
            wheel = _as_pure(_run_build(requirement, Path(folder)))
            kept.mkdir(parents=True, exist_ok=True)
            temporary = kept / f".{os.getpid()}"
            shutil.copyfile(wheel, temporary)
            temporary.replace(kept / wheel.name)
        wheels = [kept / wheel.name]
    return wheels[0]


def _run_build(requirement: Requirement, folder: Path) -> Path:
    how = find_pure_build(canonicalize_name(requirement.name))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-input"]
    command += ["--disable-pip-version-check", f"--no-binary={requirement.name}"]
    command += [f"--config-settings={key}={value}" for key, value in how.settings.items()]
    environment = {**os.environ, "CC": "/bin/false", "CXX": "/bin/false", "LDSHARED": "/bin/false"}
    try:
        done = subprocess.run(
            [*command, "--wheel-dir", str(folder), str(requirement)],
            env={**environment, **how.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"its build from source took longer than {BUILD_TIMEOUT_S} s") from error
    built = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not built:
        raise BuildError(explain_build(done.stdout + done.stderr))
    return built[0]


def explain_build(output: str) -> str:
    """Return one clause on why a build failed, from pip's output."""
    if "No matching distribution found" in output or "from versions: none" in output:
        return "the package index has no version of it for this requirement and Python"
    return "it has no wheel for the Worker's Python and needs a native compiler to be built"


def _as_pure(wheel: Path) -> Path:
    """Return the wheel under a pure name when it holds no native code.

    Some projects tag the wheel for this machine although the native part was left out.
    """
    with zipfile.ZipFile(wheel) as archive:
        native = [n for n in archive.namelist() if n.endswith(NATIVE_SUFFIXES)]
    if native:
        raise BuildError(f"its build from source holds native code ({native[0]})")
    name, version, _build, tags = parse_wheel_filename(wheel.name)
    if all(tag.platform == "any" for tag in tags):
        return wheel
    if not find_pure_build(str(name)).settings and not find_pure_build(str(name)).environment:
        raise BuildError("its build from source is for this machine's Python only")
    renamed = wheel.with_name(f"{str(name).replace('-', '_')}-{version}-py3-none-any.whl")
    return wheel.rename(renamed)
