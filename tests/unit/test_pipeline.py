"""The main path: what the report says when a stage fails."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgelift import pipeline
from edgelift.errors import TargetError
from edgelift.run import Stage


def test_after_a_failure_older_proofs_of_later_stages_are_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = {}

    class Run:
        project = SimpleNamespace(settings=SimpleNamespace(has_app=True))
        stale: frozenset[str] = frozenset()

    def run_stage(run: Run, stage: Stage) -> None:
        seen[stage.name] = run.stale
        if stage.name == "build":
            raise TargetError("no")

    monkeypatch.setattr(pipeline, "run_stage", run_stage)
    with pytest.raises(TargetError, match="no"):
        pipeline.run_pipeline(Run(), "report")  # type: ignore[arg-type]
    assert "verify" not in seen
    assert seen["report"] == {"verify", "report"}
    assert seen["build"] == frozenset()
