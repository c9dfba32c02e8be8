"""A bounded run of the row engine's fuzzer: libFuzzer where clang has it, else replay and mutation.

EDGELIFT_FUZZ_RUNS sets how many inputs libFuzzer tries; a crash keeps its input in the test's
folder, whose name the failure shows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fuzz.make_corpus import CORPUS, write_inputs

SOURCE = Path(__file__).with_name("rows_fuzz.c")
SANITIZERS = ["-g", "-O1", "-fno-sanitize-recover=all"]
NIGHTLY = bool(os.environ.get("EDGELIFT_NIGHTLY"))
RUNS = int(os.environ.get("EDGELIFT_FUZZ_RUNS", "5000000" if NIGHTLY else "60000"))
MUTATIONS = RUNS // 100


def compile_with(compiler: str, sanitizers: str, out: Path, *options: str) -> str:
    """Return an empty text when the fuzzer was compiled, else the compiler's words."""
    command = [compiler, *SANITIZERS, f"-fsanitize={sanitizers}", *options, "-o", str(out)]
    done = subprocess.run(
        [*command, str(SOURCE), "-lm"], capture_output=True, text=True, check=False
    )
    return done.stderr[-400:] or "failed" if done.returncode else ""


def run_checked(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, timeout=3600
    )
    assert done.returncode == 0, f"{folder}: {done.stdout[-1000:]}{done.stderr[-6000:]}"
    return done.stdout + done.stderr


def test_libfuzzer_finds_nothing(tmp_path: Path) -> None:
    clang = shutil.which("clang")
    why = "clang is not installed"
    if clang:
        why = compile_with(clang, "fuzzer,address,undefined", tmp_path / "fuzz")
    if why:
        pytest.skip(f"no libFuzzer: {why}")
    grown = tmp_path / "grown"
    grown.mkdir()
    limits = ["-max_len=2048", "-timeout=20", "-rss_limit_mb=2000", "-print_final_stats=1"]
    said = run_checked(
        [str(tmp_path / "fuzz"), f"-runs={RUNS}", *limits, str(grown), str(CORPUS)], tmp_path
    )
    assert "stat::number_of_executed_units" in said


def test_mutations_of_the_corpus_find_nothing(tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    why = "no C compiler is installed"
    if compiler:
        why = compile_with(compiler, "address,undefined", tmp_path / "replay", "-DREPLAY")
    if why:
        pytest.skip(f"no sanitizers: {why}")
    files = [str(path) for path in sorted(CORPUS.iterdir())]
    said = run_checked([str(tmp_path / "replay"), str(MUTATIONS), *files], tmp_path)
    assert f"replayed {len(files)} files" in said


def test_a_fault_is_seen(tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler is installed")
    broken = tmp_path / "src" / "edgelift" / "rows" / "native"
    shutil.copytree(SOURCE.parents[2] / "src" / "edgelift" / "rows" / "native", broken)
    wires = broken / "wires.h"
    check = "        if (have < at + (size_t)length) return more(r, at + (size_t)length);\n"
    assert check in wires.read_text()
    wires.write_text(wires.read_text().replace(check, ""))
    harness = tmp_path / "tests" / "fuzz" / SOURCE.name
    harness.parent.mkdir(parents=True)
    shutil.copy(SOURCE, harness)
    command = [
        compiler,
        *SANITIZERS,
        "-fsanitize=address,undefined",
        "-DREPLAY",
        "-o",
        str(tmp_path / "r"),
    ]
    made = subprocess.run(
        [*command, str(harness), "-lm"], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no sanitizers: {made.stderr[-200:]}")
    files = [str(path) for path in sorted(CORPUS.glob("pgcopy-blob*"))]
    found = subprocess.run(
        [str(tmp_path / "r"), "2000", *files], capture_output=True, text=True, check=False
    )
    assert found.returncode != 0
    assert "AddressSanitizer" in found.stderr


def test_the_corpus_is_what_make_corpus_writes() -> None:
    kept = {p.name: p.read_bytes() for p in CORPUS.iterdir() if not p.name.startswith("crash-")}
    assert write_inputs() == kept
