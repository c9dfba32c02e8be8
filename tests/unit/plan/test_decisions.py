"""Decisions of the plan: costs, sizes, strategies, models, the text of a blocked plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.model.findings import Finding, Level
from edgelift.model.inventory import ModelFile
from edgelift.model.plan import DatabasePlan
from edgelift.project import AppSection, DatabaseSection, Project, Settings
from edgelift.stages.plan import _blocked
from edgelift.stages.plan.costs import count_runs, estimate_costs, read_prices, total_usd
from edgelift.stages.plan.decisions import (
    check_crons,
    check_models,
    choose_strategy,
    explain_placement,
    explain_strategy,
    format_bytes,
    keep_transactions,
    plan_databases,
)
from edgelift.stages.plan.rules import RULES


@pytest.mark.parametrize(
    ("cron", "runs"),
    [
        ("* * * * *", 43830),
        ("*/5 * * * *", 8766),
        ("0 * * * *", 730.5),
        ("0 3 * * *", 30.4375),
        ("0 3 * * mon", 4.348),
        ("0 3 * * mon-fri", 21.741),
        ("0 3 1 * *", 0.982),
        ("0,30 8-17/3 * * *", 243.5),
        ("0 0 1 jan *", 0.0818),
        ("0 0 1 * sun", 5.330),
    ],
)
def test_runs_of_a_cron_in_an_average_month(cron: str, runs: float) -> None:
    assert count_runs(cron) == pytest.approx(runs, rel=1e-3)


def test_a_bill_within_what_is_included_is_the_base_price() -> None:
    assert total_usd(estimate_costs((), 10_000_000)) == read_prices().prices["base"].usd


def test_a_bill_beyond_what_is_included() -> None:
    lines = {line.title: line for line in estimate_costs(("* * * * *",) * 300, 9_000_000_000)}
    requests = 1_000_000 + 300 * 43830
    assert lines["requests"].amount == pytest.approx(requests)
    assert lines["requests"].usd == round((requests - 10_000_000) / 1e6 * 0.30, 2)
    assert lines["D1 storage, GB"].usd == 3.0
    assert all(line.source for line in lines.values())


def test_every_limit_and_price_says_where_it_was_read() -> None:
    table = read_prices()
    assert all(limit.source and limit.unit for limit in table.limits.values())
    assert all(price.source for price in table.prices.values())


def make(folder: Path, url: str = "sqlite:///a.db", strategy: str = "auto") -> Project:
    section = DatabaseSection(name="main", url=url, strategy=strategy)  # type: ignore[arg-type]
    app = AppSection(framework="flask", entry="app:app")
    settings = Settings(name="x", app=app, databases=(section,))
    return Project(folder, settings, folder / "edgelift.toml")


def sized(folder: Path, size: int) -> list[tuple[str, Level]]:
    with (folder / "a.db").open("wb") as handle:
        handle.truncate(size)
    return [(f.rule, f.level) for f in plan_databases(make(folder), []).findings]


def test_sizes_against_the_limits(tmp_path: Path) -> None:
    assert sized(tmp_path, 500_000_000) == []
    assert sized(tmp_path, 500_000_001) == [("LIMIT-D1-FREE", Level.NOTE)]
    assert sized(tmp_path, 10_000_000_001) == [("LIMIT-D1-SIZE", Level.ERROR)]


def test_another_engine_is_refused_without_its_password(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SHOP_URL", "mssql://u:secret@host/shop")
    found = plan_databases(make(tmp_path, "${SHOP_URL}"), [])
    assert found.plans == ()
    assert [f.rule for f in found.findings] == ["DB-ENGINE"]
    assert "secret" not in found.findings[0].message


def test_a_servers_database_is_moved_where_the_project_says_so(tmp_path: Path, monkeypatch) -> None:
    import msgspec

    monkeypatch.setenv("SHOP_URL", "postgresql://u:secret@db.example.com/shop")
    project = make(tmp_path, "${SHOP_URL}")
    moved = msgspec.structs.replace(project.settings.databases[0], strategy="d1")
    settings = msgspec.structs.replace(project.settings, databases=(moved,))
    found = plan_databases(msgspec.structs.replace(project, settings=settings), [])
    assert [(plan.strategy, plan.url) for plan in found.plans] == [("d1", "${SHOP_URL}")]
    assert [f.rule for f in found.findings] == ["DB-MOVED"]
    assert "secret" not in found.findings[0].message


@pytest.mark.parametrize("url", ["postgresql://u:secret@db.example.com/shop", "mysql://u@h.de/x"])
def test_a_servers_database_stays_where_it_is(tmp_path: Path, monkeypatch, url: str) -> None:
    monkeypatch.setenv("SHOP_URL", url)
    found = plan_databases(make(tmp_path, "${SHOP_URL}"), [])
    assert [(plan.strategy, plan.in_place, plan.url) for plan in found.plans] == [
        ("hyperdrive", True, "${SHOP_URL}")
    ]
    assert "no row is moved" in found.plans[0].reason
    assert [f.rule for f in found.findings] == ["HYPERDRIVE-ID"]


@pytest.mark.parametrize(
    ("url", "rules"),
    [
        ("postgresql://u:secret@127.0.0.1/shop", ["HYPERDRIVE-ID", "HYPERDRIVE-PRIVATE"]),
        ("postgresql://u:secret@db/shop", ["HYPERDRIVE-ID", "HYPERDRIVE-PRIVATE"]),
        ("postgresql://u:secret@host.example.com", ["DB-SERVER-URL"]),
    ],
)
def test_what_hyperdrive_needs_to_know(
    tmp_path: Path, monkeypatch, url: str, rules: list[str]
) -> None:
    monkeypatch.setenv("SHOP_URL", url)
    found = plan_databases(make(tmp_path, "${SHOP_URL}"), []).findings
    assert [f.rule for f in found] == rules
    assert all("secret" not in f.message for f in found)


def finding(level: Level, *, accepted: bool = False, rule: str = "TXN-X") -> Finding:
    return Finding(
        rule=rule, level=level, message="seen: why", path="app.py", line=3, accepted=accepted
    )


AUTO = DatabaseSection(name="main", url="sqlite:///a.db")
LOSES, SPLITS = finding(Level.ERROR), finding(Level.WARNING)
ACCEPTED = finding(Level.ERROR, accepted=True)


@pytest.mark.parametrize(
    ("wanted", "audit", "strategy", "words"),
    [
        ("auto", [], "d1", "chosen by the audit: nothing that"),
        ("auto", [ACCEPTED], "d1", "1 finding(s) of the transaction audit are accepted"),
        ("auto", [SPLITS], "object", "would lose 0 rollback(s) or block(s) and split 1"),
        ("auto", [LOSES, SPLITS], "object", "would lose 1 rollback(s) or block(s) and split 1"),
        ("auto", [ACCEPTED, SPLITS], "object", "(first: app.py:3)"),
        ("object", [], "object", "chosen in edgelift.toml: real transactions"),
        ("d1", [], "d1", "chosen in edgelift.toml: nothing that"),
        ("d1", [SPLITS], "d1", "1 warning(s) about atomicity"),
        ("d1", [LOSES], "d1", "chosen in edgelift.toml, but D1 would lose 1"),
    ],
)
def test_the_strategy_follows_the_audit(
    wanted: str, audit: list[Finding], strategy: str, words: str
) -> None:
    section = DatabaseSection(name="main", url="sqlite:///a.db", strategy=wanted)  # type: ignore[arg-type]
    assert choose_strategy(section, audit) == strategy
    assert words in explain_strategy(section, strategy, audit)


def planned(*strategies: str) -> list[DatabasePlan]:
    return [
        DatabasePlan(name="x", url="", binding="DB", strategy=strategy, reason="")
        for strategy in strategies
    ]


def test_what_real_transactions_keep_stops_nothing() -> None:
    kept = keep_transactions(planned("object", "hyperdrive"), [LOSES, SPLITS])
    assert [(f.level, f.blocks) for f in kept] == [(Level.NOTE, False)] * 2
    assert "real transactions" in kept[0].message


@pytest.mark.parametrize("strategies", [("d1",), ("object", "d1"), ()])
def test_one_database_in_d1_leaves_the_findings_as_they_are(strategies: tuple[str, ...]) -> None:
    assert keep_transactions(planned(*strategies), [LOSES, SPLITS]) == [LOSES, SPLITS]


def test_objects_have_a_bill_of_their_own() -> None:
    titles = [line.title for line in estimate_costs((), None, 10_000_000)]
    assert "Durable Object SQL storage, GB" in titles
    assert not [title for title in titles if title.startswith("D1")]
    both = [line.title for line in estimate_costs((), 1, 1)]
    assert {"D1 storage, GB", "Durable Object SQL storage, GB"} <= set(both)


def test_placement_names_the_state_it_splits() -> None:
    assert "no module state" in explain_placement([])
    assert "STATE-CACHE" in explain_placement([finding(Level.NOTE, rule="STATE-CACHE")])


def test_models_are_exported_or_named() -> None:
    models = [
        ModelFile(path="a.joblib", kind="sklearn.ensemble.IsolationForest"),
        ModelFile(path="b.pkl", kind="dict of sklearn.linear_model.Ridge"),
        ModelFile(path="c.pkl", kind="it cannot be loaded: no module named torch"),
    ]
    paths, findings = check_models(models)
    assert paths == ("a.joblib", "b.pkl")
    assert [(f.rule, f.path) for f in findings] == [("MODEL-KIND", "c.pkl")]


def test_more_crons_than_the_free_plan_has() -> None:
    assert list(check_crons(["a"] * 5)) == []
    assert [f.rule for f in check_crons(["a"] * 6)] == ["LIMIT-CRONS"]


def test_blockers_are_listed_by_rule_with_the_first_place() -> None:
    blockers = [finding(Level.ERROR), finding(Level.ERROR), finding(Level.ERROR, rule="PKG-Y")]
    error = _blocked(blockers)
    assert error.exit_code == 3
    assert error.what == "3 findings stop the lift"
    assert "TXN-X at app.py:3 (2 places); PKG-Y at app.py:3" in error.why
    assert '[accept] rules = ["TXN-X", "PKG-Y"]' in error.tip
    assert _blocked(blockers[:1]).what == "1 finding stops the lift"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (17_700_000, "17.7 MB"), (2e12, "2000.0 GB")],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert format_bytes(int(size)) == text


def test_rule_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
