"""Starts pip for the target in its own process and returns what came of it, for the resolver."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from edgelift.errors import TargetError, TargetUnavailable
from edgelift.targets.packages import target

RUNNER = Path(__file__).parent / "pip_for_target.py"
RESOLVE_TIMEOUT_S = 900
# urllib3's and requests' words in pip's output when the index does not answer.
NO_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeoutError|NameResolutionError|ReadTimeoutError|ProxyError"
    r"|Max retries exceeded|ConnectionResetError|RemoteDisconnected"
)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What pip said: `parents` on success, else a `missing` project or a `conflict`.

    `chain` leads from a root requirement to the one that wants the missing project; `optional`
    names the requirement below the root when only an extra of the root asks for it.
    """

    parents: dict[str, str] | None = None
    missing: str = ""
    wanted: str = ""
    chain: tuple[str, ...] = ()
    optional: str = ""
    conflict: tuple[tuple[str, str], ...] = ()


def run_pip(
    requirements: Sequence[str],
    destination: Path,
    *,
    constraints: Mapping[str, str],
    drop: Sequence[str],
    links: Path,
) -> Outcome:
    """Resolve requirements and download their wheels into `destination`.

    `links` is a folder of further wheels, `drop` names requirements that are passed over. Raises
    TargetUnavailable when the package index does not answer, TargetError when pip fails otherwise.
    """
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        wanted, narrowed = here / "requirements.txt", here / "constraints.txt"
        wanted.write_text("\n".join(requirements), encoding="utf-8")
        narrowed.write_text("\n".join(f"{n}=={v}" for n, v in constraints.items()), "utf-8")
        arguments = ["download", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]
        arguments += ["--only-binary=:all:", "--implementation=cp", "--retries=2"]
        arguments += [f"--python-version={target.PYTHON_VERSION}", f"--platform={target.PLATFORM}"]
        arguments += [f"--abi={abi}" for abi in target.ABIS]
        arguments += [f"--find-links={links}", f"--dest={destination}"]
        arguments += [f"--requirement={wanted}", f"--constraint={narrowed}"]
        job = {"arguments": arguments, "markers": target.MARKERS, "drop": list(drop)}
        (here / "job.json").write_text(json.dumps(job), encoding="utf-8")
        output = _start(here / "job.json", here / "outcome.json")
        return _read_outcome(here / "outcome.json", output)


def _start(job: Path, outcome: Path) -> str:
    # -P: the runner's own folder must not hide modules of pip behind ours.
    command = [sys.executable, "-P", str(RUNNER), str(job), str(outcome)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=RESOLVE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TargetUnavailable(
            "The packages could not be resolved for the Worker",
            why=f"pip did not end within {RESOLVE_TIMEOUT_S} s",
            tip="pin more versions in the requirements, and check the network",
        ) from error
    return done.stdout + done.stderr


def _read_outcome(file: Path, output: str) -> Outcome:
    try:
        outcome = msgspec.json.decode(file.read_bytes(), type=Outcome)
    except (OSError, msgspec.DecodeError):
        outcome = Outcome()
    if outcome.parents is None and (silence := NO_NETWORK.search(output)):
        raise TargetUnavailable(
            "The packages could not be downloaded",
            why=f"the package index does not answer ({silence[0]})",
            tip="connect to the network, or set pip's index and proxy; once downloaded, edgelift "
            "works offline",
        )
    if outcome == Outcome():
        raise TargetError(
            "The packages could not be resolved for the Worker",
            why=_last_lines(output, 3),
            tip="check the requirements with: pip install --dry-run -r requirements.txt",
        )
    return outcome


def _last_lines(output: str, count: int) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("ERROR:")] or lines
    return " ".join(told[-count:]) or "pip gave no reason"
