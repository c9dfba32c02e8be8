from types import SimpleNamespace

import pytest

from edgelift.model.comparison import CellDifference
from edgelift.model.estimators import ExportedModel, ModelProof
from edgelift.model.findings import Status
from edgelift.model.flows import Difference, NoiseMask
from edgelift.model.inventory import Inventory, Route
from edgelift.sources.recorded_sql import RecordedStatement
from edgelift.stages.verify.checks import (
    check_mutants,
    check_parity,
    check_sql,
    check_state,
    name_differences,
    name_noise,
)
from edgelift.stages.verify.models import check_models
from edgelift.stages.verify.outcome import FlowOutcome, MutantOutcome, read_percentile
from edgelift.stages.verify.state import StateOutcome

RUN = SimpleNamespace(command=lambda verb, *options: " ".join(["edgelift", verb, *options]))
INVENTORY = Inventory(
    framework="flask",
    entry="a:b",
    routes=(
        Route(rule="/a", methods=("GET", "HEAD", "OPTIONS"), endpoint="a"),
        Route(rule="/b", methods=("POST",), endpoint="b"),
    ),
)


def difference(kind="value", place=0, position=0):
    return Difference(
        flow="f", position=position, request=f"GET /{place}", route=f"GET /{place}", kind=kind,
        where="body.x", pattern="body.x", origin="1", target="2",
    )  # fmt: skip


def parity(**fields):
    outcome = FlowOutcome(name="f", requests=4, routes=("GET /a",), **fields)
    return check_parity(RUN, "verify.parity.generated", [outcome], INVENTORY)


def test_a_flow_without_differences_passes_with_its_counts_and_figures():
    check = parity(statuses={"200": 3, "404": 1}, origin_s=(0.1, 0.3), target_s=(0.2, 0.4))
    assert (check.status, check.reproduce) == (
        Status.PASS, "edgelift verify --only verify.parity.generated"
    )  # fmt: skip
    assert (check.counts["routes_covered"], check.counts["routes"]) == (1, 2)
    assert (check.counts["status_200"], check.counts["status_404"]) == (3, 1)
    assert (check.figures["origin_p50_s"], check.figures["target_p95_s"]) == (0.3, 0.4)


def test_several_differences_of_one_request_count_as_one_request():
    check = parity(differences=(difference(), difference("type"), difference(position=2)))
    assert check.status is Status.FAIL
    assert (check.counts["requests_equal"], check.counts["differences"]) == (2, 3)


def test_a_stopped_target_fails_and_shows_its_log_first():
    check = parity(stopped="the Worker stopped at request 3", log=("last words",))
    assert check.status is Status.FAIL
    assert check.detail == ("the Worker stopped at request 3", "last words")
    assert (check.counts["requests_equal"], check.counts["requests"]) == (0, 4)
    assert check.evidence.startswith("the Worker stopped at request 3")


def test_every_kind_is_named_before_one_is_named_twice():
    many = [difference(place=i) for i in range(30)] + [difference("status", 99)]
    lines = name_differences(many)
    assert lines[1] == "GET /99 -> body.x: 1 != 2"
    assert lines[-1].startswith("... and 11 more places")


def test_the_same_place_is_named_once_with_its_number():
    assert name_differences([difference()] * 3) == ["GET /0 -> body.x: 1 != 2 (and 2 more like it)"]


def test_noise_is_named_widest_first():
    masks = [
        NoiseMask(route="GET /a", pattern="body.x", kinds=("value",), formats=("uuid",), seen=1),
        NoiseMask(route="GET /b", pattern="body.y", kinds=("value",), formats=("digits",), seen=5),
        NoiseMask(route="GET /a", pattern="body.x", kinds=("value",), formats=("uuid",), seen=2),
    ]
    assert name_noise(masks) == [
        "noise: GET /b -> body.y (digits), seen 5 times",
        "noise: GET /a -> body.x (uuid), seen 3 times",
    ]


def test_end_states_tell_what_was_left_out_and_what_differs():
    cell = CellDifference(table="t", key="id=1", column="c", origin="1", target="2", kind="value")
    outcome = StateOutcome(
        database="main", tables=2, origin_rows=5, target_rows=5, changed=("t",), noisy=("t.at",),
        differences=(cell,),
    )  # fmt: skip
    check = check_state(RUN, "main", [outcome])
    assert check.status is Status.FAIL
    assert check.detail == ("t [id=1].c: origin 1, target 2 (value)",)
    assert "left out, as two runs of the origin differ there: t.at" in check.evidence


@pytest.mark.parametrize(
    ("changed", "expected", "status"),
    [((), True, Status.NOT_RUN), ((), False, Status.PASS), (("t",), True, Status.PASS)],
)
def test_equal_states_that_nobody_wrote_to_prove_no_writing(changed, expected, status):
    outcome = StateOutcome(
        database="main",
        tables=1,
        origin_rows=3,
        target_rows=3,
        changed=changed,
        noisy=(),
        differences=(),
    )
    check = check_state(RUN, "main", [outcome], writes_expected=expected)
    assert check.status is status
    assert "3 rows compared" in check.evidence


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (MutantOutcome(kind="dropped row", made=2, caught=2), Status.PASS),
        (MutantOutcome(kind="dropped row", made=2, caught=1, survivors=("t",)), Status.FAIL),
        (MutantOutcome(kind="dropped row", made=0, caught=0), Status.FAIL),
    ],
)
def test_mutants_prove_something_only_when_all_are_caught(outcome, status):
    assert check_mutants(RUN, [outcome]).status is status


def proof(**fields):
    plain = {"rows": 9, "captured": 4, "methods": ("predict",), "tree_rows": 0, "leaves": 0,
             "leaves_reached": 0, "refusals": 0, "ties": 0, "max_difference": 1e-16}  # fmt: skip
    return ModelProof(**{**plain, **fields})


@pytest.mark.parametrize(
    ("model", "status"),
    [
        (ExportedModel(path="m", kind="k", proofs=(proof(),)), Status.PASS),
        (ExportedModel(path="m", kind="k", proofs=(proof(captured=0),)), Status.NOT_RUN),
        (ExportedModel(path="m", kind="k", proofs=(proof(differences=("1 != 2",)),)), Status.FAIL),
        (ExportedModel(path="m", kind="k", refusal="no counterpart"), Status.FAIL),
    ],
)
def test_models_pass_on_rows_of_the_app_only(model, status):
    bench = SimpleNamespace(run=RUN)
    assert check_models(bench, [model]).status is status


def test_percentiles():
    assert read_percentile((), 0.5) == 0.0
    assert read_percentile((3.0, 1.0, 2.0), 0.5) == 2.0
    assert read_percentile((1.0,), 0.95) == 1.0


def sent(sql, kind="text", line=3):
    return RecordedStatement(
        path="app.py", line=line, engine="postgresql", sql=sql, kind=kind, bound=False
    )


def sql_run(*accepted):
    settings = SimpleNamespace(accept=SimpleNamespace(rules=accepted))
    return SimpleNamespace(command=RUN.command, project=SimpleNamespace(settings=settings))


REFUSED = "SELECT to_tsvector(body) FROM jobs"


@pytest.mark.parametrize(
    ("statements", "accepted", "status", "detail"),
    [
        ([], (), Status.PASS, ()),
        ([sent("SELECT a FROM t"), sent(REFUSED, kind="orm")], (), Status.PASS, ()),
        ([sent("SELECT a FROM t"), sent(REFUSED, line=9)], (), Status.FAIL, (f"app.py:9 {REFUSED} (it calls to_tsvector())",)),
        ([sent(REFUSED)], ("SQL-DIALECT-TEXT",), Status.PASS, (f"app.py:3 {REFUSED} (it calls to_tsvector())",)),
    ],
)  # fmt: skip
def test_sql_of_flows_without_a_form_fails_unless_it_was_accepted(
    statements, accepted, status, detail
):
    check = check_sql(sql_run(*accepted), statements)
    assert (check.status, tuple(check.detail)) == (status, detail)
    assert check.counts["statements"] == len(statements)
