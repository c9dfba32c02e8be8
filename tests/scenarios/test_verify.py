"""Verify with a second origin as target: equal twins pass, every seeded fault is caught and named."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from edgelift.errors import OriginError, UsageError, VerificationMismatch
from edgelift.model.findings import Status
from edgelift.project import read_project
from tests.scenarios.verify_twin import Twin, change_target, edit, make_ledger, verify

GENERATED, RECORDED = "verify.parity.generated", "verify.parity.recorded"


@pytest.fixture
def run(tmp_path):
    """Return a run on a fresh ledger."""
    made = make_ledger(tmp_path / "ledger")
    yield made
    made.journal.close()


@pytest.fixture
def twin(run, tmp_path):
    """Return a target that is the origin once more."""
    return Twin(tmp_path / "twins", run)


def hash_files(folder: Path) -> dict[str, str]:
    return {
        str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in sorted(folder.rglob("*"))
        if f.is_file() and ".edgelift" not in f.relative_to(folder).parts
    }


def fail(run, twin, only=None):
    """Verify what must fail; return the checks that failed."""
    with pytest.raises(VerificationMismatch) as caught:
        verify(run, twin, only)
    assert len(caught.value.lines()) == 3
    checks = run.journal.read_checks("verify")
    return {check.id: check for check in checks if check.status is Status.FAIL}


def test_requests_during_which_the_database_fails(tmp_path):
    run = make_ledger(tmp_path / "ledger", "object")
    checks = verify(run, Twin(tmp_path / "twins", run), "verify.faults")
    (check,) = [check for check in checks.values() if check.id == "verify.faults"]
    assert check.status is Status.PASS, check.detail
    assert check.counts["faults_origin"] == check.counts["faults_target"] > 5
    assert check.counts["endpoints"] == 2


def test_rows_of_failed_requests_that_stay_are_found(tmp_path):
    """A target that commits every statement, as D1 does, keeps the row of a request that fails."""
    run = make_ledger(tmp_path / "ledger", "object")
    alter = edit(
        "g.db = sqlite3.connect(path)", "g.db = sqlite3.connect(path, isolation_level=None)"
    )
    with pytest.raises(VerificationMismatch):
        verify(run, Twin(tmp_path / "twins", run, alter), "verify.faults")
    (check,) = [c for c in run.journal.read_checks("verify") if c.id == "verify.faults"]
    assert check.status is Status.FAIL
    assert any("items" in line for line in check.detail)
    assert any("orders" in line for line in check.detail)


def test_an_equal_twin_passes_all_checks_and_nothing_else_is_touched(run, twin):
    root, data = run.project.root, run.project.state / "data"
    before = hash_files(root), hash_files(data)
    checks = verify(run, twin)
    statuses = {check.id: check.status for check in checks.values()}
    assert statuses.pop("verify.models") is Status.SKIPPED
    assert set(statuses.values()) == {Status.PASS}
    assert (hash_files(root), hash_files(data)) == before

    generated = checks[GENERATED]
    assert generated.counts["requests_equal"] == generated.counts["requests"] > 100
    assert generated.counts["routes_covered"] == generated.counts["routes"] == 7
    assert generated.counts["noise_places"] >= 5
    assert {"origin_p50_s", "origin_p95_s", "target_p50_s", "target_p95_s"} <= set(
        generated.figures
    )
    assert generated.reproduce.endswith(f"--only {GENERATED}")
    assert checks["verify.state:main"].counts["tables_changed"] == 2
    assert checks["verify.tests"].counts["passed"] == 3
    assert checks["verify.mutants"].counts["made"] == checks["verify.mutants"].counts["caught"]

    folder = run.project.state / "verify"
    assert sorted(p.name for p in folder.iterdir()) == [
        "differences.json", "flows.json", "noise.json",
    ]  # fmt: skip
    flows = {flow["name"]: flow for flow in json.loads((folder / "flows.json").read_text())}
    bound = [request for request in flows["tests"]["requests"] if request["bindings"]]
    assert [request["method"] for request in bound] == ["GET", "GET", "GET"]


# Groups of faults that do not touch the same reply, each fault with what must be said of it.
FAULTS = {
    "fields": [
        ('"name is missing"), 400', '"name is missing"), 422', "POST /api/items -> status: 400 != 422"),
        ('"price": row["price"]', '"prise": row["price"]', 'body.price: field renamed to "prise"'),
        ('"tags": row["tags"].split()', '"tags": row["tags"].split()[::-1]', "body.tags: reordered list"),
        ("page=page, total", "total", "GET /api/items -> body.page: 1 != <missing>"),
        ("<h1>Ledger</h1>", "<h1>ledger</h1>", "GET / -> body line 2"),
        ('response.headers["Vary"]', 'response.headers["X-Vary"]', "GET / -> header.Vary"),
        ("httponly=True, ", "", "POST /api/orders -> cookie.order.httponly"),
    ],
    "values": [
        ("items=found,", "items=found[:-1],", "body.items: 5 elements != 4 elements"),
        ('"price": row["price"]', '"price": row["price"] * (1 + 1e-6)', "body.price: 0.333"),
        ('"id": row["id"]', '"id": str(row["id"])', 'body.id: 1 != "1"'),
        ("datetime.now(UTC).isoformat()", "str(datetime.now(UTC))", "asked_at: format iso datetime"),
        ('"gzip" in', '"br" in', 'header.Content-Encoding: "gzip" != "none"'),
    ],
}  # fmt: skip


@pytest.mark.parametrize("group", FAULTS)
def test_faults_in_the_replies_are_caught_and_named(run, twin, group):
    def alter(copy: Path) -> None:
        for old, new, _ in FAULTS[group]:
            edit(old, new)(copy)

    twin.alter = alter
    failed = fail(run, twin, GENERATED)
    assert list(failed) == [GENERATED]
    told = json.loads((run.project.state / "verify" / "differences.json").read_text())
    lines = [difference["text"] for difference in told["generated"]["differences"]]
    for *_, named in FAULTS[group]:
        assert any(named in line for line in lines), named
    kinds = {d["kind"] for d in told["generated"]["differences"]}
    first = {line.partition(" (and ")[0] for line in failed[GENERATED].detail}
    assert kinds == {d["kind"] for d in told["generated"]["differences"] if d["text"] in first}


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE items SET name='Item 1' WHERE id=1", "items [id=1].name: origin 'item 1'"),
        ("DELETE FROM items WHERE id=40", "items [id=40]: missing row"),
        ("INSERT INTO orders VALUES ('x','y','z')", "orders [id='x']: extra row"),
    ],
)
def test_a_fault_in_the_data_is_caught_and_named(run, twin, sql, named):
    change_target(run, sql)
    failed = fail(run, twin, "verify.data")
    assert failed["verify.data"].detail[0].startswith(named)


def test_a_write_that_is_lost_is_seen_in_the_end_state(run, twin):
    twin.alter = edit('"new", now()', '"new ", now()')
    failed = fail(run, twin, "verify.state:main")
    assert "items" in failed["verify.state:main"].detail[0]
    assert ".tags" in failed["verify.state:main"].detail[0]


def test_a_token_that_does_not_come_back_is_seen(run, twin):
    twin.alter = edit('jsonify(order=row["id"]', "jsonify(order=str(uuid.uuid4())")
    failed = fail(run, twin, RECORDED)
    assert " was " in failed[RECORDED].detail[0]
    assert "body.order" in failed[RECORDED].detail[0]


def test_a_difference_that_does_not_come_again_is_told_but_believed_only_twice(run, twin, tmp_path):
    mark = tmp_path / "mark"

    def once(copy: Path) -> None:
        if not mark.exists():
            mark.touch()
            edit("<h1>Ledger</h1>", "<h1>other</h1>")(copy)

    twin.alter = once
    check = verify(run, twin, GENERATED)[GENERATED]
    assert check.status is Status.PASS
    assert check.counts["unstable"] >= 4
    assert any(line.startswith("seen once") for line in check.detail)


def test_a_job_that_writes_something_else_is_seen(run, twin):
    twin.alter = edit("tags || ' settled'", "tags || ' Settled'")
    failed = fail(run, twin, "verify.jobs:settle")
    assert ".tags" in failed["verify.jobs:settle"].detail[0]


def test_a_job_that_fails_on_the_target_is_told(run, twin):
    twin.alter = edit(
        "def settle() -> None:", "def settle() -> None:\n    raise OSError('no disk')"
    )
    failed = fail(run, twin, "verify.jobs:settle")
    assert "no disk" in failed["verify.jobs:settle"].evidence


def test_own_tests_that_fail_on_the_target_only_are_named(run, twin):
    twin.alter = edit("(page - 1) * 5", "page * 5")
    failed = fail(run, twin, "verify.tests")
    check = failed["verify.tests"]
    assert check.detail[0] == "fails on the Worker: tests.test_http::test_items_are_listed"
    assert (check.counts["failed"], check.counts["origin_passed"]) == (1, 3)


def test_a_changed_static_file_is_named(run, twin):
    twin.alter = lambda copy: (copy / "static" / "style.css").write_text("body {}")
    failed = fail(run, twin, "verify.static")
    assert failed["verify.static"].detail[0].startswith("GET /static/style.css -> body: sha256")


DIE = "if item_id > 900:\n        print('last words'); os.kill(os.getppid(), 9); os._exit(1)\n    row = db()"


def test_a_target_that_dies_fails_with_the_end_of_its_log(run, twin):
    twin.alter = edit("row = db()", DIE)
    failed = fail(run, twin, GENERATED)
    check = failed[GENERATED]
    assert "the Worker stopped at request" in check.evidence
    assert "GET /api/items/987654321" in check.evidence
    assert any("last words" in line for line in check.detail)


def test_an_origin_that_dies_proves_nothing_and_is_the_origins_error(run, twin):
    edit("row = db()", DIE)(run.project.root)
    with pytest.raises(OriginError, match="The origin"):
        verify(run, twin, GENERATED)
    check = run.__dict__["found"][GENERATED]
    assert check.status is Status.NOT_RUN
    assert "not run: The origin" in check.evidence


def configure(run, old, new):
    settings = run.project.root / "edgelift.toml"
    text = settings.read_text()
    assert old in text
    settings.write_text(text.replace(old, new))
    run.project = read_project(run.project.root)


def test_a_missing_test_command_is_told(run, twin):
    configure(run, '["pytest", "tests"]', '["nosuchrunner"]')
    with pytest.raises(OriginError, match="cannot run"):
        verify(run, twin, "verify.tests")
    check = run.__dict__["found"]["verify.tests"]
    assert (check.status, "nosuchrunner" in check.evidence) == (Status.NOT_RUN, True)


def test_declared_differences_and_tolerance_are_forgiven_and_counted(run, twin):
    text = 'ignore = ["GET /api/items* *tags", "GET /never body.x"]\ntolerance = 0.01'
    configure(run, "[tests]", f"[parity]\n{text}\n[tests]")
    twin.alter = lambda copy: [
        edit('"tags": row["tags"].split()', '"tags": row["tags"].split()[::-1]')(copy),
        edit('"price": row["price"]', '"price": row["price"] + 0.001')(copy),
    ]
    check = verify(run, twin, GENERATED)[GENERATED]
    assert check.status is Status.PASS
    assert check.counts["declared_differences"] > 0
    assert check.figures["largest_float_difference"] == pytest.approx(0.001)
    assert "declared in parity.ignore but met nowhere: GET /never body.x" in check.detail


def test_a_har_file_is_replayed(run, twin):
    entry = {
        "request": {"method": "GET", "url": "https://shop.example/api/items?page=3", "headers": []},
        "response": {"status": 200, "headers": [], "content": {}},
    }
    (run.project.root / "shop.har").write_text(json.dumps({"log": {"entries": [entry]}}))
    configure(run, "[tests]", '[parity]\nrecordings = ["shop.har"]\n[tests]')
    twin.alter = edit("page=page,", "page=page if page != 3 else 4,")
    failed = fail(run, twin, RECORDED)
    assert failed[RECORDED].detail[0] == "GET /api/items?page=3 -> body.page: 3 != 4"


def test_only_one_check_is_made_anew_and_the_others_stay(run, twin):
    verify(run, twin)
    before = {c.id: c for c in run.journal.read_checks("verify")}
    starts = len(twin.tags)
    after = verify(run, twin, "verify.data")
    assert set(after) == set(before)
    assert len(twin.tags) == starts
    twin.alter = edit("page=page,", "page=0,")
    fail(run, twin, GENERATED)
    assert len(run.journal.read_checks("verify")) == len(before)


def test_an_unknown_check_is_refused(run, twin):
    with pytest.raises(UsageError, match="There is no check"):
        verify(run, twin, "verify.nothing")


def test_what_passed_is_kept_when_the_rest_is_tried_again(run, twin):
    twin.alter = lambda copy: (copy / "static" / "style.css").write_text("body {}")
    assert "verify.static" in fail(run, twin)
    first = len(twin.tags)
    twin.alter = lambda _copy: None
    checks = verify(run, twin)
    assert checks["verify.static"].status is Status.PASS
    # Only the failed flow (it asks for the file too) and the static files start the target again.
    assert sorted(twin.tags[first:]) == ["flow-generated-target", "static"]
    assert checks[RECORDED].counts["requests"] == 6


def test_leftovers_of_a_killed_run_are_removed(run, twin):
    leftover = run.project.folder("verify", "work", "generated-origin") / "app.db"
    leftover.write_text("half")
    verify(run, twin, "verify.data")
    assert not leftover.parent.parent.exists()


def test_a_project_without_database_tests_or_routes_says_what_did_not_run(run, twin):
    from edgelift.model.inventory import Inventory
    from edgelift.model.plan import Plan

    text = (run.project.root / "edgelift.toml").read_text()
    cut = text.partition("[[databases]]")[0]
    (run.project.root / "edgelift.toml").write_text(cut)
    run.project = read_project(run.project.root)
    broken = Inventory(framework="flask", entry="app:app", import_error="ImportError: no x")
    run.journal.write_document("inventory", broken)
    run.journal.write_document("plan", Plan(placement="worker", placement_reason=""))
    run.journal.write_document("files", {})
    checks = verify(run, twin)
    reasons = {check.id: check.evidence for check in checks.values()}
    assert reasons == {
        "verify.data": "not run: the project has no database",
        GENERATED: "not run: ImportError: no x",
        RECORDED: "not run: no tests are configured, no recordings given, or they ask nothing",
        "verify.faults": "no database is moved",
        "verify.tests": "not run: edgelift.toml names no tests",
        "verify.models": "the project holds no serialized model",
        "verify.mutants": "not run: no flow was replayed and there is no database",
        "verify.static": "the project has no static files",
    }
    assert not {Status.PASS, Status.FAIL} & {check.status for check in checks.values()}


def test_the_lifted_database_is_read_independently(run, twin):
    """An independent look: plain SQL agrees that the flow really wrote on a copy only."""
    verify(run, twin, "verify.state:main")
    golden = run.project.state / "data" / "target" / "main.sqlite"
    db = sqlite3.connect(golden)
    assert db.execute("SELECT count(*) FROM items").fetchone() == (40,)
    db.close()
