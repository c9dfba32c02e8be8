"""Move one server database into several: planned, copied and proven in one snapshot, mapped.

Files are put in place only when all of them are proven, so that they are of one moment.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec

from edgelift.model.catalogue import Catalogue
from edgelift.model.data_document import DataDocument
from edgelift.model.findings import Check, Status
from edgelift.model.shard_map import Shard, ShardMap, counters_name, list_members
from edgelift.run import Run
from edgelift.sources.shard_files import PLACED
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.stages.data.server import prove
from edgelift.stages.data.server.move import (
    Moment,
    ServerSubject,
    load_and_prove,
    open_moment,
    put_in_place,
    read_counters,
)
from edgelift.stages.data.server.shard_plan import (
    Splitting,
    describe_map,
    measure_splitting,
    plan_shards,
    select_shard,
)
from edgelift.stages.data.server.shard_whole import (
    complete_map,
    find_local_keys,
    read_lasts,
    write_counters,
)


def map_path(run: Run, name: str) -> Path:
    """Return where the routing map of a database lies."""
    return run.project.state / "data" / "shards" / f"{name}.json"


def list_shards(run: Run, subject: ServerSubject) -> list[str]:
    """Return the names of a database's files; its own name before its shards were planned."""
    found = run.journal.read_document(f"shards:{subject.name}", ShardMap)
    return [member.name for member in list_members(subject.name, "", "", found)]


def split(run: Run, subject: ServerSubject, moment: Moment) -> tuple[Splitting, ShardMap]:
    """Measure a database and plan its shards; raises BlockersFound and UsageError."""
    assert subject.shards is not None
    splitting = measure_splitting(
        moment.origin,
        subject.plan,
        subject.shards,
        moment.capabilities,
        moment.reader,
        run.progress,
    )
    before = run.journal.read_document(f"shards:{subject.name}", ShardMap)
    return splitting, plan_shards(splitting, before)


def move_shards(
    run: Run, subject: ServerSubject, part_of: Callable[[ServerSubject], Path]
) -> tuple[list[Check], dict[str, DataDocument]]:
    """Load and prove all shards; returns their checks, and records when all of them passed."""
    checks: list[Check] = []
    made: list[tuple[ServerSubject, Path, prove.Proof, list[Check]]] = []
    with open_moment(run, subject) as moment:
        splitting, found = split(run, subject, moment)
        found = complete_map(found, splitting, subject.schema)
        run.record_findings(list(find_local_keys(splitting, found.counters)))
        run.journal.write_document(f"shards:{subject.name}", found)
        for line in describe_map(found):
            run.note(line)
        for shard in found.shards:
            own = _to_subject(subject, splitting, shard, found.views)
            part = part_of(own)
            proof, done = load_and_prove(run, own, moment, part)
            made.append((own, part, proof, done))
        last_numbers = read_counters(subject.plan, moment.origin)
    proofs = [proof for _, _, proof, _ in made]
    checks.append(_check_whole(subject, splitting, found, proofs))
    checks += [_check_size(found, part, proof) for _, part, proof, _ in made]
    everything = [*checks, *(check for *_, done in made for check in done)]
    if any(check.status is Status.FAIL for check in everything):
        for own, part, *_ in made:
            part.replace(own.target.with_name(f"{own.target.name}.mismatch"))
        return everything, {}
    lasts = read_lasts([part for _, part, *_ in made], found.counters, last_numbers)
    documents = {}
    for own, part, proof, done in made:
        more, document = put_in_place(run, own, part, proof, done)
        checks += more
        if document is not None:
            documents[own.name] = document
    if found.counters:
        name = counters_name(subject.name)
        file = subject.target.with_name(f"{name}.sqlite")
        write_counters(subject.schema, lasts, file)
        _write_catalogue(run, name, file)
        documents[name] = prove.build_document({}, file)
    _describe_whole(run, subject.name, found, lasts)
    if len(documents) == len(made) + bool(found.counters):
        run.journal.write_document(f"{PLACED}:{subject.name}", found)
        _write_map(map_path(run, subject.name), found)
    return checks, documents


def _write_catalogue(run: Run, name: str, file: Path) -> None:
    with contextlib.closing(apsw.Connection(str(file))) as db:
        catalogue: Catalogue = read_catalogue(db)
    run.journal.write_document(f"catalogue:{name}", catalogue)


def _describe_whole(run: Run, name: str, found: ShardMap, lasts: dict[str, int]) -> None:
    """Keep the catalogue of the database that the shards are together, for those who compare it."""
    first = run.journal.read_document(f"catalogue:{found.shards[0].name}", Catalogue)
    if first is None:
        return
    rows = {table.table: table.rows for table in found.tables}
    whole = tuple(
        msgspec.structs.replace(table, rows=rows.get(table.name, table.rows))
        for table in first.tables
    )
    catalogue = msgspec.structs.replace(first, tables=whole, sequences=first.sequences | lasts)
    run.journal.write_document(f"catalogue:{name}", catalogue)


def _to_subject(
    subject: ServerSubject, splitting: Splitting, shard: Shard, views: tuple[str, ...]
) -> ServerSubject:
    """Return what is moved for a shard; `views` show a part of their rows there."""
    plan = select_shard(splitting, shard)
    whole = tuple(view for view in plan.views if view.target not in views)
    return ServerSubject(
        name=shard.name,
        url=subject.url,
        plan=msgspec.structs.replace(plan, views=whole),
        schema=subject.schema,
        target=subject.target.with_name(f"{shard.name}.sqlite"),
        snapshot=subject.snapshot,
    )


def _check_whole(
    subject: ServerSubject, splitting: Splitting, found: ShardMap, proofs: list[prove.Proof]
) -> Check:
    """Check that the shards together hold each row of the origin once, by counts."""
    started = time.monotonic()
    copies = {t.table: len(proofs) if t.way == "replicated" else 1 for t in found.tables}
    wrong = []
    for target, (rows, _) in splitting.tables.items():
        held = sum(proof.tables[target].rows for proof in proofs)
        if held != rows * copies[target]:
            wrong.append(f"{target}: {rows} rows at the origin, {held} in the shards")
    rows = sum(rows for rows, _ in splitting.tables.values())
    return Check(
        id=f"data.shards:{subject.name}",
        stage="data",
        title=f"The shards of {subject.name} hold each row once",
        status=Status.FAIL if wrong else Status.PASS,
        evidence=f"{len(copies) - len(wrong)} of {len(copies)} tables, {rows} rows of the origin "
        f"counted in {len(proofs)} shards, in the same snapshot; replicated tables in each",
        detail=tuple(wrong),
        reproduce=proofs[0].reproduce,
        duration_s=time.monotonic() - started,
        counts={"tables": len(copies), "tables_equal": len(copies) - len(wrong), "rows": rows},
    )


def _check_size(found: ShardMap, part: Path, proof: prove.Proof) -> Check:
    size = part.stat().st_size
    return Check(
        id=f"data.size:{proof.plan.database}",
        stage="data",
        title=f"{proof.plan.database} is within the limit of a database",
        status=Status.FAIL if size > found.max_bytes else Status.PASS,
        evidence=f"{size} of {found.max_bytes} bytes, with indexes",
        reproduce=proof.reproduce,
        counts={"bytes": size, "limit": found.max_bytes},
    )


def _write_map(path: Path, found: ShardMap) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    part.replace(path)
