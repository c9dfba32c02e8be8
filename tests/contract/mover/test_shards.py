"""A database split into several: planned by measure, each shard proven, the map leads to the rows."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

import edgelift
from edgelift.errors import BlockersFound, UsageError
from edgelift.model.data_document import TableRecord
from edgelift.model.mover_settings import ShardsSection
from edgelift.model.shard_map import ShardMap
from edgelift.sources.origin_database import open_origin
from edgelift.stages.data.server.shard_plan import measure_splitting, plan_shards, select_shard
from edgelift.stages.data.server.shards import _check_whole
from edgelift.toolchain import ensure_toolchain
from edgelift.worker.shard_map import read_shard_map
from tests.contract.mover.moving import judge, read_plainly, read_target
from tests.contract.mover.test_resume import run_sql

COMMON = """
CREATE TABLE country (code varchar(2) PRIMARY KEY, name varchar(40) NOT NULL);
INSERT INTO country VALUES ('de', 'Germany'), ('fr', 'France');
CREATE TABLE tenant (tenant_id {key} PRIMARY KEY, name varchar(40), country varchar(2),
  FOREIGN KEY (country) REFERENCES country (code));
CREATE TABLE account (id integer PRIMARY KEY, tenant_id {key} NOT NULL, parent integer, note text,
  FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id), FOREIGN KEY (parent) REFERENCES account (id));
CREATE TABLE entry (id integer PRIMARY KEY, account integer NOT NULL, amount integer,
  FOREIGN KEY (account) REFERENCES account (id));
"""
ROWS = {
    "postgres": """
INSERT INTO tenant SELECT 'T' || n, 'name ''' || n, CASE WHEN n % 2 = 0 THEN 'de' ELSE 'fr' END
  FROM generate_series(1, 30) n;
INSERT INTO account SELECT n, 'T' || 1 + n % 30, NULL, repeat('x', n % 90)
  FROM generate_series(1, 900) n;
UPDATE account SET parent = id - 30 WHERE id > 30;
INSERT INTO entry SELECT n, 1 + n % 900, n FROM generate_series(1, 4000) n;
""",
    "mysql": """
INSERT INTO tenant SELECT concat('T', seq), concat('name ''', seq), if(seq % 2 = 0, 'de', 'fr')
  FROM seq_1_to_30;
INSERT INTO account SELECT seq, concat('T', 1 + seq % 30), NULL, repeat('x', seq % 90)
  FROM seq_1_to_900;
UPDATE account SET parent = id - 30 WHERE id > 30;
INSERT INTO entry SELECT seq, 1 + seq % 900, seq FROM seq_1_to_4000;
""",
}
TENANT = ShardsSection(by="tenant", column="tenant_id", count=3, replicate=("country",))
KEY = ShardsSection(by="key", table="tenant", count=3, replicate=("country",))
# Which tenant each row belongs to, in plain SQL that both servers and SQLite take.
OWNERS = {
    "tenant": "SELECT tenant_id, tenant_id, name, country FROM tenant",
    "account": "SELECT tenant_id, id, parent, note FROM account",
    "entry": "SELECT a.tenant_id, e.id, e.account, e.amount FROM entry e, account a "
    "WHERE a.id = e.account",
}


@pytest.fixture(params=["postgres", "mysql"])
def url(request) -> str:
    return make_url(request, request.param, COMMON.format(key="varchar(20)") + ROWS[request.param])


def make_url(request, kind: str, script: str) -> str:
    if kind == "postgres":
        return request.getfixturevalue("make_database")(script)
    server = request.getfixturevalue("mariadb_server")
    name = server.create_database("shards")
    server.run_script(script, name)
    return server.make_url(name)


@contextlib.contextmanager
def measuring(url: str, section: ShardsSection):
    plan = judge(url).plan
    with open_origin(url) as adapter:
        reader = adapter.open_snapshot()
        with contextlib.closing(reader):
            origin = adapter.read_schema()
            yield lambda: measure_splitting(
                origin, plan, section, adapter.capabilities, reader, lambda *_: None
            )


def plan_for(url: str, section: ShardsSection, before: ShardMap | None = None) -> ShardMap:
    with measuring(url, section) as measure:
        return plan_shards(measure(), before)


@pytest.mark.workerd
@pytest.mark.parametrize("section", [TENANT, KEY], ids=["tenant", "key"])
def test_each_shard_holds_its_rows_and_the_map_finds_them(
    url: str, section, tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    _write(url, folder, section)
    outcome = edgelift.move(url, folder, import_files=tmp_path / "upload")
    assert len(list((tmp_path / "upload").glob("main-*/0001.sql"))) == section.count
    checks = {c.id: c.status for c in outcome.checks}
    assert set(checks.values()) <= {"PASS", "SKIPPED"}
    assert {"data.shards:main", "data.rows:main-0", "data.size:main-2"} <= set(checks)

    data = folder / ".edgelift" / "data"
    routing = read_shard_map(data / "shards" / "main.json")
    assert routing.shards == ["main-0", "main-1", "main-2"]
    seen: dict[str, list] = {table: [] for table in OWNERS}
    for shard in routing.shards:
        path = data / "target" / f"{shard}.sqlite"
        assert read_target(path, "SELECT code, name FROM country") == read_plainly(
            url, "SELECT code, name FROM country"
        )
        for table, query in OWNERS.items():
            rows = read_target(path, query)
            assert {routing.find(row[0]) for row in rows} <= {shard}
            seen[table] += rows
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    for table, query in OWNERS.items():
        assert sorted(seen[table], key=repr) == sorted(read_plainly(url, query), key=repr)
    again = edgelift.move(url, folder)
    assert {s.name: s.state for s in again.stages}["data"] == "done"


def _write(url: str, folder: Path, section: ShardsSection) -> None:
    from edgelift.stages.init.database_settings import write_database_project

    write_database_project(url, folder, accept=(), force=False)
    words = {"by": section.by, "column": section.column, "table": section.table}
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in words.items() if value)
    text += f"count = {section.count}\nmax_bytes = {section.max_bytes}\n"
    text += f"replicate = {json.dumps(list(section.replicate))}\n"
    path = folder / "edgelift.toml"
    path.write_text(path.read_text() + f"\n[data.shards]\n{text}")


def test_the_plan_is_what_the_origin_counts(url: str) -> None:
    found = plan_for(url, TENANT)
    rows = {table.table: table.rows for table in found.tables}
    assert rows == {"country": 2, "tenant": 30, "account": 900, "entry": 4000}
    assert sum(shard.rows for shard in found.shards) == 4930 + 3 * 2
    ways = {table.table: (table.way, table.detail) for table in found.tables}
    assert ways["entry"] == ("through", "account -> account -> tenant_id")
    assert ways["country"] == ("replicated", "as a whole in every shard")
    sizes = [shard.bytes for shard in found.shards]
    assert max(sizes) < 1.2 * min(sizes)


def test_a_lowered_limit_asks_for_more_shards(url: str) -> None:
    whole = sum(table.bytes for table in plan_for(url, TENANT).tables)
    for section in (TENANT, KEY):
        limited = ShardsSection(
            by=section.by, column=section.column, table=section.table,
            max_bytes=whole // 3, replicate=("country",),
        )  # fmt: skip
        found = plan_for(url, limited)
        assert len(found.shards) > 3
        assert all(shard.bytes * 1.3 <= limited.max_bytes for shard in found.shards)


def test_what_was_placed_stays_and_a_new_tenant_finds_a_place(url: str) -> None:
    before = plan_for(url, TENANT)
    run_sql(url, "INSERT INTO tenant VALUES ('T99', 'new', 'de')")
    after = plan_for(url, TENANT, before)
    for old, new in zip(before.shards, after.shards, strict=True):
        assert set(old.tenants) <= set(new.tenants)
    assert sum("T99" in shard.tenants for shard in after.shards) == 1
    keyed = plan_for(url, KEY)
    assert [(s.low, s.high) for s in plan_for(url, KEY, keyed).shards] == [
        (s.low, s.high) for s in keyed.shards
    ]
    assert keyed.shards[0].low == "0000"
    assert keyed.shards[-1].high == "ffff"


def test_rows_of_no_shard_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="country belong to no shard"):
        plan_for(url, ShardsSection(by="tenant", column="tenant_id", count=2))
    quote = "`" if url.startswith("mysql") else '"'
    run_sql(
        url,
        f"CREATE TABLE {quote}loose{quote} (id integer PRIMARY KEY, tenant_id varchar(20))",
        "INSERT INTO loose VALUES (1, 'T1'), (2, NULL)",
    )
    with pytest.raises(BlockersFound, match="1 rows of loose belong to no shard"):
        plan_for(url, TENANT)


def test_rows_of_two_shards_are_refused(url: str) -> None:
    run_sql(url, "UPDATE account SET parent = 1 WHERE id = 500")
    with pytest.raises(BlockersFound, match="1 rows of account refer to rows of another shard"):
        plan_for(url, TENANT)


def test_a_tenant_above_the_limit_is_refused(url: str) -> None:
    with pytest.raises(BlockersFound, match="would be larger"):
        plan_for(
            url,
            ShardsSection(by="tenant", column="tenant_id", max_bytes=2000, replicate=("country",)),
        )


def test_wrong_names_are_told(url: str) -> None:
    for section, words in (
        (ShardsSection(by="tenant", column="nothing", count=2), "nothing to split by"),
        (ShardsSection(by="key", table="nothing", count=2), "nothing to split by"),
        (ShardsSection(by="tenant", column="tenant_id", count=2, replicate=("x",)), "replicates x"),
        (
            ShardsSection(by="tenant", column="tenant_id", count=2, replicate=("country", "entry")),
            "cannot lie in every shard",
        ),
    ):
        with pytest.raises(UsageError, match=words):
            plan_for(url, section)


@pytest.mark.parametrize(("missing", "status"), [(0, "PASS"), (1, "FAIL"), (-1, "FAIL")])
def test_a_row_in_no_shard_or_in_two_is_caught(url: str, missing: int, status: str) -> None:
    with measuring(url, TENANT) as measure:
        splitting = measure()
    found = plan_shards(splitting)
    first = select_shard(splitting, found.shards[0])
    assert all(("IN (" in m.spec.where) == (m.spec.table != "country") for m in first.tables)
    held = [dict.fromkeys(splitting.tables, TableRecord(rows=0, hash="")) for _ in found.shards]
    for target, (rows, _) in splitting.tables.items():
        shards = held if target == "country" else held[:1]
        for tables in shards:
            tables[target] = TableRecord(rows=rows, hash="")
    held[0]["entry"] = TableRecord(rows=held[0]["entry"].rows - missing, hash="")
    proofs = [SimpleNamespace(tables=tables, reproduce="") for tables in held]
    check = _check_whole(SimpleNamespace(name="main"), splitting, found, proofs)
    assert check.status == status


@pytest.mark.workerd
def test_javascript_finds_the_same_shards(url: str, tmp_path: Path) -> None:
    import msgspec

    node = ensure_toolchain(("runtime",), lambda _text: None).node
    module = Path(edgelift.__file__).parent / "targets" / "workerd" / "js" / "shard_map.mjs"
    keys = [f"T{n}" for n in range(1, 31)]
    for section in (TENANT, KEY):
        path = tmp_path / f"{section.by}.json"
        path.write_bytes(msgspec.json.encode(plan_for(url, section)))
        routing = read_shard_map(path)
        script = (
            f"import {{ findShard }} from {json.dumps(module.as_uri())};"
            "import fs from 'node:fs';"
            f"const map = JSON.parse(fs.readFileSync({json.dumps(str(path))}, 'utf8'));"
            f"const found = []; for (const key of {json.dumps(keys)})"
            " found.push(await findShard(map, key)); console.log(JSON.stringify(found));"
        )
        done = subprocess.run(
            [node, "--input-type=module", "-e", script], capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout) == [routing.find(key) for key in keys]


NUMBERED = {
    "postgres": """
CREATE TABLE firm (slug varchar(20) PRIMARY KEY, mail varchar(40) UNIQUE);
CREATE TABLE bill (id serial PRIMARY KEY, firm varchar(20) NOT NULL REFERENCES firm (slug));
CREATE TABLE never (id bigserial PRIMARY KEY, firm varchar(20) NOT NULL REFERENCES firm (slug));
INSERT INTO firm SELECT 'f' || n, 'm' || n FROM generate_series(1, 6) n;
INSERT INTO bill (firm) SELECT 'f' || 1 + n % 6 FROM generate_series(1, 50) n;
DELETE FROM bill WHERE id > 45;
CREATE VIEW bills AS SELECT firm, count(*) AS bills FROM bill GROUP BY firm;
""",
    "mysql": """
CREATE TABLE firm (slug varchar(20) PRIMARY KEY, mail varchar(40) UNIQUE);
CREATE TABLE bill (id integer PRIMARY KEY AUTO_INCREMENT, firm varchar(20) NOT NULL,
  FOREIGN KEY (firm) REFERENCES firm (slug));
CREATE TABLE never (id bigint PRIMARY KEY AUTO_INCREMENT, firm varchar(20) NOT NULL,
  FOREIGN KEY (firm) REFERENCES firm (slug));
INSERT INTO firm SELECT concat('f', seq), concat('m', seq) FROM seq_1_to_6;
INSERT INTO bill (firm) SELECT concat('f', 1 + seq % 6) FROM seq_1_to_50;
DELETE FROM bill WHERE id > 45;
CREATE VIEW bills AS SELECT firm, count(*) AS bills FROM bill GROUP BY firm;
""",
}


@pytest.mark.workerd
@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_numbers_are_counted_for_all_shards_in_a_file_of_their_own(
    request, kind: str, tmp_path: Path
) -> None:
    url, folder = make_url(request, kind, NUMBERED[kind]), tmp_path / "shop"
    section = ShardsSection(by="tenant", table="firm", count=2)
    _write(url, folder, section)
    outcome = edgelift.move(url, folder, import_files=tmp_path / "upload")
    assert {check.status for check in outcome.checks} <= {"PASS", "SKIPPED"}
    data = folder / ".edgelift" / "data"
    routing = read_shard_map(data / "shards" / "main.json")
    assert routing.counters == {"bill": "id", "never": "id"}
    assert (routing.views, routing.key) == ({"bills"}, "firm")
    counters = data / "target" / "main-counters.sqlite"
    given_out = read_target(counters, "SELECT name, seq FROM sqlite_sequence ORDER BY name")
    # The numbers of deleted rows were given out too; InnoDB takes more at once than it uses.
    asked = {
        "postgres": "SELECT last_value FROM bill_id_seq",
        "mysql": "SELECT auto_increment - 1 FROM information_schema.tables "
        "WHERE table_name = 'bill' AND table_schema = database()",
    }
    told = int(read_plainly(url, asked[kind])[0][0])
    last = read_target(data / "target" / "main-0.sqlite", "SELECT max(id) FROM bill")[0][0]
    assert [name for name, _ in given_out] == ["bill", "never"]
    assert [number for _, number in given_out] == [told, 0]
    assert last <= 45
    assert told >= 50
    for table in ("firm", "bill", "never"):
        assert read_target(counters, f"SELECT count(*) FROM {table}") == [(0,)]
    loaded = sqlite3.connect(":memory:")
    for file in sorted((tmp_path / "upload" / "main-counters").glob("*.sql")):
        loaded.executescript(file.read_text())
    assert sorted(loaded.execute("SELECT name, seq FROM sqlite_sequence")) == given_out
    loaded.close()
    again = edgelift.move(url, folder)
    assert {s.name: s.state for s in again.stages}["data"] != "failed"
