"""The schema stage: judge the origin's schema and data, convert it, prove that D1 loads it.

Of a SQLite file it takes the snapshot that data will move, so that what is judged is what moves; a
server's database is judged by its catalogue and by facts that the server counts. Error findings
stop the lift here, before anything reaches the target, unless their rules are accepted.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgelift.errors import BlockersFound, UsageError
from edgelift.model.catalogue import Catalogue
from edgelift.model.findings import Check, Level, Status
from edgelift.model.move_plan import STAYS, MovePlan
from edgelift.model.mover_settings import SchemaSection
from edgelift.model.plan import Plan
from edgelift.model.target_schema import TargetSchema
from edgelift.project import expand_variables, hash_inputs
from edgelift.run import Result, Run, Stage
from edgelift.sources.origin_database import is_server_url, mask_url
from edgelift.sources.sqlite import Snapshot, SqliteSource
from edgelift.sources.sqlite_catalogue import NOT_OURS, read_catalogue
from edgelift.sources.sqlite_errors import origin_errors
from edgelift.sources.sqlite_snapshot import is_intact
from edgelift.sources.sqlite_url import find_sqlite_file
from edgelift.stages.schema.data_rules import judge_rows, judge_size
from edgelift.stages.schema.issues import Issue
from edgelift.stages.schema.load_check import Engine, build_probes, run_load_check
from edgelift.stages.schema.mapping import (
    DatabaseMapping,
    Judged,
    build_mapping,
    build_schema,
    lift_catalogue,
    to_markdown,
)
from edgelift.stages.schema.rules import judge_catalogue
from edgelift.stages.schema.server.inquiry import Listener, select_settings
from edgelift.stages.schema.server.judgement import ServerJudgement, judge_server
from edgelift.stages.schema.sqlite.judgement import Order, judge_rewritten
from edgelift.stages.schema.sqlite.names import (
    changes_values,
    find_unknown,
    is_overridden,
    select_known,
)
from edgelift.stages.schema.statements import to_script

FORMAT = 2  # raised when the stage's output changes, so that old results are made anew
# Of a database that is split, `data` measures each shard against the limit.
_SIZE_RULES = frozenset({"SCHEMA-DATABASE-SIZE", "SCHEMA-DATABASE-SIZE-FREE"})


@dataclass(frozen=True)
class Judgement:
    """What the stage found about one database; `lost` are objects that nothing accounts for."""

    name: str
    mapping: DatabaseMapping
    schema: TargetSchema
    catalogue: Catalogue
    issues: tuple[Issue, ...]
    entries: int
    statements: int
    lost: tuple[str, ...] = ()
    plan: MovePlan | None = None


@dataclass(frozen=True)
class Listed:
    """A database of the project: a SQLite `file`, or a server's where that is None."""

    name: str
    url: str
    file: Path | None

    @property
    def shown(self) -> str:
        """Return where it is, without secrets."""
        return str(self.file) if self.file is not None else mask_url(self.url)


def list_databases(run: Run) -> list[Listed]:
    """Return the databases to move as the plan has them, else the project."""
    plan = run.journal.read_document("plan", Plan)
    listed = (
        [database for database in plan.databases if not database.in_place]
        if plan is not None
        else run.project.settings.databases
    )
    found = []
    for database in listed:
        if database.strategy == STAYS:
            continue
        url = expand_variables(database.url)
        server = is_server_url(url)
        file = None if server else find_sqlite_file(database.url, run.project.root)
        found.append(Listed(database.name, url if server else database.url, file))
    _check_settings(run, found)
    return found


def _check_settings(run: Run, found: Sequence[Listed]) -> None:
    settings = run.project.settings.schema
    plain = SchemaSection()
    styles = (settings.timestamps, settings.uuid) != (plain.timestamps, plain.uuid)
    if found and all(d.file for d in found) and styles and not settings.rewrite:
        raise UsageError(
            f"{run.project.settings_path} has styles in [schema] that nothing obeys",
            why="timestamps and uuid say how values of a server's types are written; a SQLite file "
            "keeps its values as they are",
            tip="remove them; for a column write [[schema.rewrite]] or [[schema.cast]]",
        )


def select_overrides(run: Run, name: str) -> SchemaSection | None:
    """Return what [schema] and [data.shards] ask of a SQLite file, None when it moves as it is.

    Its snapshot must be there. Raises UsageError for what a lifted app could not stand.
    """
    settings = run.project.settings
    own = select_settings(settings.schema, name)
    if is_overridden(own) and len(settings.databases) > 1:
        path = snapshot_path(run, name)
        with origin_errors(path), SqliteSource(path).open() as db:
            own = select_known(own, read_catalogue(db))
    shards = settings.data.shards
    is_split = shards is not None and shards.database in {"", name}
    if not is_overridden(own) and not is_split:
        return None
    if settings.has_app and (is_split or changes_values(own)):
        raise UsageError(
            f"The app's own SQL does not know what edgelift.toml makes of {name}",
            why="it is lifted unmodified, so its tables and columns must keep their names and "
            "their values their form, in one database",
            tip="change the app and its database first, or move the database alone: edgelift move",
        )
    return own


def choose_styles(run: Run) -> SchemaSection:
    """Return [schema] with moments in the style of the app's ORM, where the file leaves it open.

    An app of Django writes them as Django does on SQLite, all others as SQLAlchemy does.
    """
    settings = run.project.settings.schema
    plan = run.journal.read_document("plan", Plan)
    names = {package.name for package in plan.packages} if plan is not None else set()
    framework = run.project.settings.app.framework
    if (
        settings.timestamps == "auto"
        and "django" in names
        and (framework == "django" or "sqlalchemy" not in names)
    ):
        return msgspec.structs.replace(settings, timestamps="django")
    return settings


def snapshot_path(run: Run, name: str) -> Path:
    """Return where the snapshot of a database lies."""
    return run.project.state / "data" / "snapshot" / f"{name}.sqlite"


def _inputs(run: Run) -> str:
    settings = run.project.settings
    databases = {}
    for database in list_databases(run):
        if database.file is not None:
            fingerprint = SqliteSource(database.file).read_fingerprint()
            asked = [settings.schema, settings.data.shards]
            databases[database.name] = [str(database.file), fingerprint, asked]
        else:
            # A server is not asked: data notices when its catalogue is no longer the judged one.
            choices = hash_inputs(choose_styles(run))
            databases[database.name] = [mask_url(database.url), choices]
    return hash_inputs(FORMAT, databases, settings.accept.rules)


def _intact(run: Run) -> bool:
    folder = run.project.state / "schema"
    return all(
        _is_read(run, database)
        and (folder / f"{database.name}.tables.sql").is_file()
        and (folder / f"{database.name}.after.sql").is_file()
        for database in list_databases(run)
    )


def _is_read(run: Run, database: Listed) -> bool:
    if database.file is None:
        return run.journal.read_document(f"move:{database.name}", MovePlan) is not None
    snapshot = run.journal.read_document(f"snapshot:{database.name}", Snapshot)
    return snapshot is not None and is_intact(snapshot, snapshot_path(run, database.name))


def _take_snapshot(run: Run, name: str, path: Path) -> Snapshot:
    """Return the snapshot of a database, taken anew when the origin changed since the last one."""
    source = SqliteSource(path)
    destination = snapshot_path(run, name)
    before = run.journal.read_document(f"snapshot:{name}", Snapshot)
    if (
        not (run.force or run.paranoid)
        and before is not None
        and before.fingerprint == source.read_fingerprint()
        and is_intact(before, destination)
    ):
        return before
    snapshot = source.take_snapshot(
        destination,
        lambda done, total: run.progress(f"pages of {name}", done, total),
        thorough=run.paranoid,
    )
    run.journal.write_document(f"snapshot:{name}", snapshot)
    return snapshot


def judge_database(
    name: str, snapshot: Path, violations: tuple[str, ...], engine: Engine, accepted: frozenset[str]
) -> Judgement:
    """Judge one snapshot and return its mapping, schema and issues; `engine` is D1's SQLite.

    Raises OriginError when the snapshot cannot be read.
    """
    with origin_errors(snapshot), SqliteSource(snapshot).open() as db:
        catalogue = read_catalogue(db)
        issues = [*judge_catalogue(catalogue), *judge_rows(db, catalogue, violations)]
        entries = db.execute(
            f"SELECT type, name, tbl_name FROM sqlite_schema WHERE {NOT_OURS}"
        ).fetchall()
    judged = Judged(name, catalogue, tuple(issues), accepted)
    schema = build_schema(build_mapping(judged), catalogue)
    probes = build_probes(schema, catalogue)
    explained = {(i.kind, i.name) for i in issues if i.rule == "SCHEMA-FK-TARGET"}
    issues += [i for i in run_load_check(probes, engine) if (i.kind, i.name) not in explained]
    mapping = build_mapping(Judged(name, catalogue, tuple(issues), accepted))
    schema = build_schema(mapping, catalogue)
    return Judgement(
        name=name,
        mapping=mapping,
        schema=schema,
        catalogue=lift_catalogue(catalogue, schema),
        issues=tuple(issues),
        entries=len(entries),
        statements=len(probes),
        lost=tuple(_find_unaccounted(entries, mapping, catalogue)),
    )


def _judge(run: Run, database: Listed, accepted: frozenset[str]) -> Judgement:
    name = database.name
    if database.file is not None:
        large = _judge_large(run, database.file, name, accepted)
        if large is not None:
            return large
        snapshot = _take_snapshot(run, name, database.file)
        run.note(f"judging the schema and data of {name}")
        path = snapshot_path(run, name)
        own = select_overrides(run, name)
        if own is not None:
            order = Order(name=name, settings=own, accepted=accepted, progress=run.progress)
            judged = judge_rewritten(order, path, snapshot.violations, _start_engine(run))
            return _to_judgement(run, database, judged)
        return judge_database(name, path, snapshot.violations, _start_engine(run), accepted)
    run.note(f"judging the schema and data of {name} at {database.shown}")
    listener = Listener(run.progress, run.note)
    found = judge_server(
        name, database.url, choose_styles(run), accepted, _start_engine(run), listener
    )
    return _to_judgement(run, database, found)


def _check_known(run: Run, databases: Sequence[Listed]) -> None:
    """Raise UsageError for a section that fits none of several SQLite files."""
    settings = run.project.settings.schema
    if len(databases) < 2 or not is_overridden(settings) or not all(d.file for d in databases):
        return
    catalogues = []
    for database in databases:
        path = snapshot_path(run, database.name)
        with origin_errors(path), SqliteSource(path).open() as db:
            catalogues.append(read_catalogue(db))
    unknown = find_unknown(settings, catalogues)
    if unknown:
        raise UsageError(
            f"edgelift.toml: {unknown[0]}, which no database has",
            why=f"the databases are {', '.join(database.name for database in databases)}",
            tip="write names exactly as the origin has them",
        )


def _judge_large(run: Run, file: Path, name: str, accepted: frozenset[str]) -> Judgement | None:
    """Return the judgement of a file that is too large whatever is in it, before it is copied.

    None where it is not, or where settings may make it smaller: then its rows are counted.
    """
    settings = run.project.settings
    if is_overridden(select_settings(settings.schema, name)) or settings.data.shards is not None:
        return None
    issues = [i for i in judge_size(SqliteSource(file).read_size()) if i.rule not in accepted]
    if not any(issue.level is Level.ERROR for issue in issues):
        return None
    rules = tuple(issue.rule for issue in issues)
    return Judgement(
        name=name,
        mapping=DatabaseMapping(database=name, objects=(), rules=rules),
        schema=TargetSchema(database=name, tables=(), after=()),
        catalogue=Catalogue(dialect="sqlite", tables=()),
        issues=tuple(issues),
        entries=0,
        statements=0,
    )


def _to_judgement(run: Run, database: Listed, found: ServerJudgement) -> Judgement:
    shards = run.project.settings.data.shards
    is_split = shards is not None and shards.database in {"", database.name}
    return Judgement(
        name=database.name,
        mapping=found.mapping,
        schema=found.schema,
        catalogue=found.catalogue,
        issues=tuple(i for i in found.issues if not (is_split and i.rule in _SIZE_RULES)),
        entries=found.objects,
        statements=found.statements,
        lost=found.lost,
        plan=found.plan,
    )


def _work(run: Run) -> Result:
    started = time.monotonic()
    databases = list_databases(run)
    accepted = frozenset(run.project.settings.accept.rules)
    judgements = [_judge(run, database, accepted) for database in databases]
    _check_known(run, databases)
    findings = [
        issue.to_finding(_relative(run, database), accepted)
        for database, judgement in zip(databases, judgements, strict=True)
        for issue in judgement.issues
    ]
    _write(run, judgements)
    run.record_findings(findings)
    run.record_checks(_checks(run, judgements, time.monotonic() - started))
    blockers = [finding for finding in findings if finding.blocks]
    if blockers:
        rules = ", ".join(sorted({finding.rule for finding in blockers}))
        raise BlockersFound(
            f"The schema cannot be lifted as it is: {rules}",
            why=blockers[0].message
            + (f" (and {len(blockers) - 1} more)" if len(blockers) > 1 else ""),
            tip=blockers[0].tip
            or "read .edgelift/schema/mapping.md; list rules you accept under [accept] rules",
        )
    return _summarize(judgements)


def _start_engine(run: Run) -> Engine:
    from edgelift.targets.workerd.sql_check import check_statements
    from edgelift.toolchain import ensure_toolchain

    toolchain = ensure_toolchain(("runtime",), run.note)
    return lambda statements: check_statements(statements, toolchain)


def _relative(run: Run, database: Listed) -> str:
    with contextlib.suppress(ValueError):
        if database.file is not None:
            return database.file.relative_to(run.project.root.absolute()).as_posix()
    return database.shown


def _write(run: Run, judgements: Sequence[Judgement]) -> None:
    folder = run.project.folder("schema")
    for judgement in judgements:
        schema = judgement.schema
        for ending, statements in (("tables", schema.tables), ("after", schema.after)):
            script = to_script([statement.sql for statement in statements])
            _replace(folder / f"{judgement.name}.{ending}.sql", script)
        run.journal.write_document(f"schema:{judgement.name}", schema)
        run.journal.write_document(f"catalogue:{judgement.name}", judgement.catalogue)
        if judgement.plan is not None:
            run.journal.write_document(f"move:{judgement.name}", judgement.plan)
        else:
            run.journal.forget_document(f"move:{judgement.name}")
    mappings = [judgement.mapping for judgement in judgements]
    encoded = msgspec.json.format(msgspec.json.encode(mappings), indent=2).decode()
    _replace(folder / "mapping.json", encoded + "\n")
    _replace(folder / "mapping.md", to_markdown(mappings))


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8", errors="surrogateescape")
    part.replace(path)


def _checks(run: Run, judgements: Sequence[Judgement], duration_s: float) -> list[Check]:
    reproduce = run.command("schema", "--force")
    accepted = run.project.settings.accept.rules
    if not judgements:
        return [
            Check(
                id=f"schema.{what}", stage="schema", title=title, status=Status.SKIPPED,
                evidence="the project names no database", reproduce=reproduce,
            )
            for what, title in _TITLES.items()
        ]  # fmt: skip
    counts = _count_kinds(judgements)
    refused = [
        f"{issue.rule} {issue.kind} {issue.name}: {issue.message}"
        for judgement in judgements
        for issue in judgement.issues
        if issue.refuses and issue.rule not in accepted
    ]
    lost = [f"{judgement.name}: {line}" for judgement in judgements for line in judgement.lost]
    entries = sum(judgement.entries for judgement in judgements)
    statements = sum(judgement.statements for judgement in judgements)
    made = ", ".join(f"{n} {kind}" for kind, n in counts.items())
    return [
        Check(
            id="schema.load", stage="schema", title=_TITLES["load"],
            status=Status.FAIL if refused else Status.PASS,
            evidence=f"{statements} statements run in D1's engine in workerd, {len(refused)} "
            f"objects refused, accepted: {made}",
            reproduce=reproduce, detail=tuple(refused),
            counts={"statements": statements, "refused": len(refused), **counts},
            duration_s=duration_s,
        ),
        Check(
            id="schema.complete", stage="schema", title=_TITLES["complete"],
            status=Status.FAIL if lost else Status.PASS,
            evidence=f"{entries - len(lost)} of {entries} objects of the catalogue accounted for",
            reproduce=reproduce, detail=tuple(lost),
            counts={"entries": entries, "unaccounted": len(lost)},
        ),
    ]  # fmt: skip


_TITLES = {
    "load": "D1's engine loads the converted schema",
    "complete": "Every object of the origin's schema is accounted for",
}
_KINDS = {
    "table": "tables",
    "virtual table": "virtual tables",
    "index": "indexes",
    "view": "views",
    "trigger": "triggers",
}


def _count_kinds(judgements: Sequence[Judgement]) -> dict[str, int]:
    counts = {plural: 0 for kind, plural in _KINDS.items() if kind != "virtual table"}
    for judgement in judgements:
        for statement in (*judgement.schema.tables, *judgement.schema.after):
            plural = _KINDS[statement.kind]
            counts[plural] = counts.get(plural, 0) + 1
    return counts


def _find_unaccounted(
    entries: Sequence[tuple[str, str, str]], mapping: DatabaseMapping, catalogue: Catalogue
) -> list[str]:
    """Return the entries of the snapshot's sqlite_schema that the mapping does not know."""
    known = {found.name for found in mapping.objects}
    return [
        f"{kind} {name}"
        for kind, name, table in entries
        if name not in known and table not in catalogue.shadows
    ]


def _summarize(judgements: Sequence[Judgement]) -> Result:
    counts = _count_kinds(judgements)
    text = ", ".join(f"{n} {kind}" for kind, n in counts.items())
    summary = f"{text} accepted by D1's engine" if judgements else "the project has no database"
    return {"summary": summary, "counts": counts, "databases": [j.name for j in judgements]}


STAGE = Stage(name="schema", inputs=_inputs, work=_work, intact=_intact)
