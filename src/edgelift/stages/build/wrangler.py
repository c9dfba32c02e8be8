"""Asks wrangler about the generated project: its configuration schema and a dry run of deploy."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from edgelift.errors import TargetError
from edgelift.sources.origin_server import SupervisedProcess
from edgelift.toolchain import Toolchain

DRY_RUN_TIMEOUT_S = 300
LOG = "wrangler.log"
# Cloudflare limit worker.size, uncompressed, all plans since 2026-09-04.
MAX_UPLOAD_BYTES = 64 * 1024 * 1024
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class DryRun:
    """What `wrangler deploy --dry-run` made: bytes by part of the upload, and its words."""

    ok: bool
    output: str
    sizes: dict[str, int]
    modules: int

    @property
    def total_bytes(self) -> int:
        """Return the size of the upload, uncompressed, assets left out."""
        return sum(self.sizes.values())


def check_config(worker: Path, wrangler: Path) -> list[str]:
    """Return what is wrong with wrangler.jsonc, nothing when it fits wrangler's own schema."""
    import jsonschema

    text = (worker / "wrangler.jsonc").read_text(encoding="utf-8")
    try:
        config = json.loads(strip_comments(text))
    except json.JSONDecodeError as error:
        return [f"wrangler.jsonc is not JSON: {error}"]
    schema = json.loads((wrangler.parents[1] / "config-schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    return [
        f"{'.'.join(str(part) for part in error.absolute_path) or 'top level'}: {error.message}"
        for error in sorted(validator.iter_errors(config), key=lambda error: list(error.path))
    ]


def strip_comments(text: str) -> str:
    """Return JSON with comments and trailing commas removed; strings stay as they are."""
    token = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
    bare = token.sub(lambda match: match.group(1) or " ", text)
    comma = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', re.DOTALL)
    return comma.sub(lambda match: match.group(1) or "", bare)


def run_dry(worker: Path, scratch: Path, toolchain: Toolchain) -> DryRun:
    """Run `wrangler deploy --dry-run` offline and measure what it would upload.

    `scratch` names a folder beside which this run makes its own: a wrangler whose edgelift was
    killed may write for a moment more. Raises TargetError when wrangler does not end.
    """
    for left in scratch.parent.glob(f"{scratch.name}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(
        dir=scratch.parent, prefix=f"{scratch.name}-", ignore_cleanup_errors=True
    ) as folder:
        own = Path(folder)
        out = own / "out"
        out.mkdir()
        code = _run_wrangler(["deploy", "--dry-run", "--outdir", str(out)], worker, own, toolchain)
        (out / "README.md").unlink(missing_ok=True)
        sizes, modules = _measure(out)
        output = (own / LOG).read_text(encoding="utf-8", errors="replace")
    return DryRun(code == 0, _COLOUR.sub("", output), sizes, modules)


def _run_wrangler(arguments: list[str], worker: Path, scratch: Path, toolchain: Toolchain) -> int:
    """Return wrangler's exit code; what it says goes to a log in `scratch`."""
    process = SupervisedProcess(
        [str(toolchain.node), str(toolchain.wrangler), *arguments],
        cwd=worker,
        env=_environment(scratch, toolchain),
        log=scratch / LOG,
    )
    try:
        code = process.wait(DRY_RUN_TIMEOUT_S)
    finally:
        process.stop()
    if code is None:
        raise TargetError(
            "wrangler deploy --dry-run did not end",
            why=f"no end within {DRY_RUN_TIMEOUT_S} s",
            tip="run again on a less busy machine",
        )
    return code


def _environment(scratch: Path, toolchain: Toolchain) -> dict[str, str]:
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("CLOUDFLARE_", "CF_"))},
        "PATH": f"{toolchain.node.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "CI": "1",
        "NO_COLOR": "1",
        "WRANGLER_SEND_METRICS": "false",
        "WRANGLER_HIDE_BANNER": "true",
        "WRANGLER_LOG_PATH": str(scratch / "logs"),
        "XDG_CONFIG_HOME": str(scratch / "config"),
    }


def _measure(out: Path) -> tuple[dict[str, int], int]:
    """Return bytes by package (below python_modules) or top-level name, and the number of files."""
    sizes: dict[str, int] = {}
    count = 0
    for file in out.rglob("*"):
        if not file.is_file():
            continue
        parts = file.relative_to(out).parts
        key = "/".join(parts[: 2 if parts[0] == "python_modules" else 1])
        sizes[key] = sizes.get(key, 0) + file.stat().st_size
        count += 1
    return sizes, count


def told_errors(output: str) -> tuple[str, ...]:
    """Return the error lines of wrangler's output, or its last line when it names none."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or line.startswith("✘")]
    return tuple(errors or lines[-1:])
