"""The export as edgelift runs it: a subprocess of the origin's Python on the origin's files."""

from __future__ import annotations

import gzip
import json
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from edgelift.errors import OriginError
from edgelift.sources.estimators import (
    capture_environment,
    export_estimators,
    find_model_files,
    list_candidates,
)

pytestmark = pytest.mark.filterwarnings("ignore")
PYTHON = Path(sys.executable)
X = np.random.default_rng(0).normal(size=(80, 3))
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A project with models good, refused and broken."""
    root = tmp_path_factory.mktemp("origin")
    (root / "models").mkdir()
    forest = RandomForestClassifier(n_estimators=5, random_state=0).fit(X, Y)
    joblib.dump(
        IsolationForest(n_estimators=5, random_state=0).fit(X), root / "models/a.joblib", compress=3
    )
    bundle = {"model": forest, "scaler": StandardScaler().fit(X), "names": ["x"]}
    (root / "b.pkl").write_bytes(pickle.dumps(bundle))
    (root / "c.pickle").write_bytes(pickle.dumps(KNeighborsClassifier().fit(X, Y)))
    (root / "data.pkl").write_bytes(pickle.dumps({"rows": [1, 2, 3]}))
    (root / "broken.pkl").write_bytes(b"\x80\x05broken")
    (root / "empty.joblib").write_bytes(b"")
    (root / "missing.pkl").write_bytes(b"cno_such_module\nClass\n.")
    (root / "cut.joblib").write_bytes((root / "b.pkl").read_bytes()[:200])
    (root / "zip.pkl").write_bytes(gzip.compress(b"hello"))
    (root / "readme.txt").write_text("no model")
    return root


FILES = [
    "models/a.joblib", "b.pkl", "c.pickle", "data.pkl", "broken.pkl", "empty.joblib", "missing.pkl",
    "cut.joblib", "zip.pkl", "readme.txt",
]  # fmt: skip


def test_candidates_by_suffix():
    assert list_candidates(["a.py", "x/B.PKL", "m.joblib", "n.pickle", "pkl"]) == [
        "x/B.PKL", "m.joblib", "n.pickle",
    ]  # fmt: skip


def test_model_files_are_found_with_their_class(origin):
    found = {m.path: m.kind for m in find_model_files(origin, FILES, PYTHON, lambda _: None)}
    assert found["models/a.joblib"] == "sklearn.ensemble.IsolationForest"
    assert found["b.pkl"] == (
        "dict of sklearn.ensemble.RandomForestClassifier, sklearn.preprocessing.StandardScaler"
    )
    assert found["c.pickle"] == "sklearn.neighbors.KNeighborsClassifier"
    assert "data.pkl" not in found
    assert "readme.txt" not in found
    for name in ("broken.pkl", "empty.joblib", "missing.pkl", "cut.joblib", "zip.pkl"):
        assert found[name].startswith("cannot be loaded: ")
    assert "no_such_module" in found["missing.pkl"]


def test_nothing_to_look_into_starts_no_python(tmp_path):
    assert find_model_files(tmp_path, ["a.py"], Path("/no/such/python"), print) == []
    assert export_estimators(tmp_path, [], Path("/no/such/python"), tmp_path, print) == []


def test_export_writes_proven_models(origin, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in origin.rglob("*")}
    notes: list[str] = []
    models = export_estimators(
        origin,
        ["models/a.joblib", "b.pkl", "c.pickle", "cut.joblib"],
        PYTHON,
        tmp_path,
        notes.append,
    )
    good, bundle, refused, broken = models
    assert [m.proven for m in models] == [True, True, False, False]
    assert (len(good.proofs), len(bundle.proofs)) == (1, 2)
    proof = good.proofs[0]
    assert proof.leaves == proof.leaves_reached > 50
    assert proof.max_difference <= 1e-9
    assert proof.methods == ("predict", "decision_function", "score_samples")
    written = (tmp_path / "models/a.joblib").read_bytes()
    assert len(written) == good.size
    assert stat.S_IMODE((tmp_path / "models/a.joblib").stat().st_mode) == 0o644
    assert pickle.loads((tmp_path / "b.pkl").read_bytes())["names"] == ["x"]
    assert (
        refused.refusal == "sklearn.neighbors.KNeighborsClassifier has no pure-Python counterpart"
    )
    assert broken.refusal.startswith("cannot be loaded")
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["a.joblib", "b.pkl"]
    assert "equal on" in notes[1]
    assert {p: p.stat().st_mtime_ns for p in origin.rglob("*")} == before


def test_export_is_the_same_each_time(origin, tmp_path):
    first, second = (
        export_estimators(origin, ["b.pkl"], PYTHON, tmp_path / name, lambda _: None)
        for name in ("one", "two")
    )
    assert first == second


def test_exported_file_needs_only_the_standard_library(origin, tmp_path):
    """Loaded by a Python without site-packages, through the stand-in for joblib."""
    export_estimators(origin, ["models/a.joblib"], PYTHON, tmp_path, lambda _: None)
    source = Path(__file__).parents[2] / "src"
    program = (
        "import sys, types\n"
        f"p = types.ModuleType('edgelift'); p.__path__ = [{str(source / 'edgelift')!r}]\n"
        "sys.modules['edgelift'] = p\n"
        "from edgelift.worker.models import install\n"
        "install()\n"
        "import joblib\n"
        f"m = joblib.load({str(tmp_path / 'models/a.joblib')!r})\n"
        "assert 'numpy' not in sys.modules\n"
        "print([float(s) for s in m.score_samples([[0.1, 0.2, 0.3], [9, 9, 9]])])\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    want = joblib.load(origin / "models/a.joblib").score_samples([[0.1, 0.2, 0.3], [9, 9, 9]])
    assert json.loads(done.stdout) == pytest.approx(want.tolist(), abs=1e-12)


def test_a_python_without_the_packages_refuses_each_file(origin, tmp_path):
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    fake.chmod(0o755)
    only = export_estimators(origin, ["b.pkl"], fake, tmp_path / "out", lambda _: None)[0]
    assert "No module named 'sklearn'" in only.refusal
    assert not only.proven


def test_a_python_that_cannot_run_is_a_clear_error(origin, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(OriginError, match="cannot be exported") as caught:
        export_estimators(origin, ["b.pkl"], tmp_path / "nothing", out, lambda _: None)
    assert "No such file" in caught.value.why
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho what a pity >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(OriginError) as caught:
        export_estimators(origin, ["b.pkl"], broken, out, lambda _: None)
    assert caught.value.why == "exit code 3: what a pity"


def run_app(origin: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", APP],
        cwd=origin,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


APP = """
import pathlib, pickle, sys, joblib, sitecustomize
forest = joblib.load(pathlib.Path("models").absolute() / "a.joblib")
with open("b.pkl", "rb") as handle:
    bundle = pickle.load(handle)
print(forest.score_samples([[0.1, 0.2, 0.3]])[0])
bundle["model"].predict(X=[[1, 2, 3], [4, 5, 6]])
bundle["scaler"].transform([[0.5, 0.5, 0.5]])
try:
    forest.predict([["x", 1, 2]])
except ValueError:
    print("refused")
"""


def test_captured_inputs_reach_the_proof(origin, tmp_path):
    captured = tmp_path / "captured.jsonl"
    environment = {"PATH": "/usr/bin:/bin"} | capture_environment(captured)
    done = run_app(origin, environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("refused\n")
    records = [json.loads(line) for line in captured.read_text().splitlines()]
    assert {(r["file"], r["method"], len(r["rows"])) for r in records} == {
        ("models/a.joblib", "score_samples", 1),
        ("b.pkl", "predict", 2),
        ("b.pkl", "transform", 1),
    }
    models = export_estimators(
        origin, ["models/a.joblib", "b.pkl"], PYTHON, tmp_path / "out", lambda _: None,
        captured=captured,
    )  # fmt: skip
    assert models[0].proofs[0].captured >= 1
    assert models[1].proofs[0].captured == 2
    assert all(model.proven for model in models)


def test_an_app_that_is_not_captured_is_left_alone(origin, tmp_path):
    environment = capture_environment(tmp_path / "captured.jsonl") | {"EDGELIFT_CAPTURE": ""}
    done = run_app(origin, environment)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "captured.jsonl").exists()
