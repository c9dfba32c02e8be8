"""The stand-ins for joblib and scikit-learn, each time in a fresh set of modules."""

from __future__ import annotations

import importlib
import io
import pickle
import sys

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest, RandomForestClassifier

from edgelift.sources.origin_scripts.estimator_conversion import convert
from edgelift.worker.models import install
from edgelift.worker.models import tree as pure

X = np.random.default_rng(0).normal(size=(50, 2))
FOREST = IsolationForest(n_estimators=4, random_state=0).fit(X)
EXPORTED = pickle.dumps(convert(FOREST))
SCORES = FOREST.score_samples(X[:3]).tolist()


@pytest.fixture
def shims(monkeypatch):
    """Install the stand-ins and take them away again."""
    saved = {n: m for n, m in sys.modules.items() if n.split(".")[0] in {"joblib", "sklearn"}}
    for name in saved:
        monkeypatch.delitem(sys.modules, name)
    install()
    yield
    for name in [n for n in sys.modules if n.split(".")[0] in {"joblib", "sklearn"}]:
        del sys.modules[name]
    sys.modules.update(saved)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.joblib"
    path.write_bytes(EXPORTED)
    return path


def test_joblib_loads_an_exported_model(shims, file):
    import joblib

    for source in (file, str(file), io.BytesIO(file.read_bytes())):
        model = joblib.load(source)
        assert model.score_samples(X[:3].tolist()).tolist() == pytest.approx(SCORES)
    assert joblib.load(file, mmap_mode="r").offset_ == FOREST.offset_


def test_pickle_loads_it_too(shims, file):
    with file.open("rb") as handle:
        assert type(pickle.load(handle)) is pure.IsolationForest


def test_imports_of_an_app_work(shims, file):
    import joblib

    ensemble = importlib.import_module("sklearn.ensemble")
    linear_model = importlib.import_module("sklearn.linear_model")
    base = importlib.import_module("sklearn.base")
    pipeline = importlib.import_module("sklearn.pipeline")
    assert isinstance(joblib.load(file), ensemble.IsolationForest)
    assert isinstance(joblib.load(file), base.BaseEstimator)
    assert not isinstance(joblib.load(file), linear_model.Ridge)
    assert pipeline.Pipeline.__name__ == "Pipeline"
    assert importlib.import_module("sklearn").ensemble is ensemble


def test_what_is_missing_says_so(shims):
    import sklearn.ensemble

    with pytest.raises(
        AttributeError, match=r"sklearn\.ensemble\.VotingClassifier is not available"
    ):
        _ = sklearn.ensemble.VotingClassifier
    with pytest.raises(ImportError):
        importlib.import_module("sklearn.cluster")


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(RandomForestClassifier(n_estimators=2).fit(X, X[:, 0] > 0)),
        b"no pickle at all",
        b"",
        b"\x78\x9c",
    ],
    ids=["not exported", "text", "empty", "compressed"],
)
def test_other_files_are_refused_with_the_reason(shims, tmp_path, content):
    import joblib

    path = tmp_path / "other.joblib"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=r"other\.joblib .* only exported models"):
        joblib.load(path)


def test_a_missing_file_is_what_it_is(shims, tmp_path):
    import joblib

    with pytest.raises(FileNotFoundError):
        joblib.load(tmp_path / "nothing.joblib")


def test_dump_is_refused(shims, tmp_path):
    import joblib

    with pytest.raises(RuntimeError, match="cannot keep a file"):
        joblib.dump({}, tmp_path / "x.joblib")


def test_parallel_runs_in_order(shims):
    from joblib import Parallel, cpu_count, delayed

    with Parallel(n_jobs=4) as pool:
        assert pool(delayed(pow)(i, 2) for i in range(4)) == [0, 1, 4, 9]
    assert cpu_count() == 1
