"""The public library: one typed call per verb, the same that the command line runs.

Each call takes the folder of a backend, keeps everything under `PATH/.edgelift/`, tells its
progress through `emit`, raises an EdgeliftError when it cannot go on, and returns an Outcome.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgelift.errors import EdgeliftError, Interrupted
from edgelift.events import Emit, Note, ignore
from edgelift.journal import Journal, RunRecord, hold_project
from edgelift.model.findings import Check, Finding, Status
from edgelift.model.follow_state import FollowOptions, FollowState
from edgelift.model.move_estimate import PaperPlan
from edgelift.model.upload_state import UploadOptions, UploadState
from edgelift.project import STATE_FOLDER, check_root, find_settings, read_project
from edgelift.run import Run, run_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class StageState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stage stands: `done`, `stale`, `failed`, `running` or `never`."""

    name: str
    state: str
    summary: str = ""
    error: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a verb did: state of all stages, checks and findings on record, the report's path.

    `follows` says of each followed database where it stands, `papers` what moving it would take,
    `uploads` what was loaded into deployed databases.
    """

    verb: str
    project: str
    stages: tuple[StageState, ...] = ()
    checks: tuple[Check, ...] = ()
    findings: tuple[Finding, ...] = ()
    runs: tuple[RunRecord, ...] = ()
    report: str | None = None
    settings: str | None = None
    settings_text: str | None = None
    follows: tuple[FollowState, ...] = ()
    papers: tuple[PaperPlan, ...] = ()
    uploads: tuple[UploadState, ...] = ()

    @property
    def failed(self) -> tuple[Check, ...]:
        """Return the checks that failed."""
        return tuple(check for check in self.checks if check.status is Status.FAIL)


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a dry run says of a stage: `action` is `run` or `skip`, with the reason."""

    name: str
    action: str
    reason: str


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a verb runs: `force` redoes its stage, `only` repeats one check of verify.

    `dry_run` counts for init only, which then writes nothing; `preview` is every other verb's.
    `paranoid` lets data read every chunk of a server's database twice, by two engines; `workers`
    and `scheduler` outweigh those of `[data]`. `plan_only` lets `move` tell what it would take.
    """

    dry_run: bool = False
    force: bool = False
    only: str | None = None
    paranoid: bool = False
    workers: int | None = None
    scheduler: str | None = None
    plan_only: bool = False


DEFAULTS = Options()
FOLLOW_DEFAULTS = FollowOptions()


def init(path: str | Path, *, options: Options = DEFAULTS, emit: Emit = ignore) -> Outcome:
    """Detect what the backend is and write its edgelift.toml, unless there is one.

    With `dry_run` nothing is written and the outcome holds the text. Raises UsageError when no app
    is found, OriginError when it cannot be imported.
    """
    from edgelift.stages.init import init_project

    root = check_root(Path(path))
    existing = find_settings(root)
    if existing is not None and not (options.force or options.dry_run):
        emit(Note(stage="init", text=f"{existing} is there already; nothing was changed"))
        return Outcome(verb="init", project=str(path), settings=str(existing))

    def note(text: str) -> None:
        emit(Note(stage="init", text=text))

    if options.dry_run:
        result = init_project(root, force=True, dry_run=True, note=note)
        return Outcome(verb="init", project=str(path), settings_text=result.text)
    with hold_project(root / STATE_FOLDER):
        result = init_project(root, force=options.force, note=note)
    return Outcome(verb="init", project=str(path), settings=str(result.settings_path))


def assess(path: str | Path, *, options: Options = DEFAULTS, emit: Emit = ignore) -> Outcome:
    """Take the inventory of the origin and list what matters for the lift, with file and line."""
    return _run_until("assess", path, options, emit)


def plan(path: str | Path, *, options: Options = DEFAULTS, emit: Emit = ignore) -> Outcome:
    """Choose a strategy for every part; raises BlockersFound when something would be lost."""
    return _run_until("plan", path, options, emit)


def schema(path: str | Path, *, options: Options = DEFAULTS, emit: Emit = ignore) -> Outcome:
    """Convert the database schema and load it into the real engine to see that it takes it.

    Without an app the databases' own Worker project is written too, by whose door rows come in.
    """
    from edgelift.stages.build.door_project import write_door_project

    with open_run("schema", path, options, emit) as run:
        _run_stages(run, "schema", options, only_if_forced=True)
        write_door_project(run)
        return read_outcome(run, "schema")


def data(
    path: str | Path,
    *,
    options: Options = DEFAULTS,
    import_files: str | Path | None = None,
    upload: UploadOptions | None = None,
    emit: Emit = ignore,
) -> Outcome:
    """Copy every row and prove by hash, on both sides, that none was lost or changed.

    With `import_files` each database is also written as SQL files for D1's import, to a folder of
    its name in there. With `upload` the rows are then loaded into deployed databases and proven
    there, as the outcome's `uploads` tell. Raises OriginError, TargetError or VerificationMismatch.
    """
    from edgelift.stages.data.import_files import write_all_import_files
    from edgelift.stages.data.upload import upload_all

    if upload is not None and upload.preview:
        return _preview_upload(path, upload, emit)
    with open_run("data", path, options, emit) as run:
        _run_stages(run, "data", options, only_if_forced=True)
        if import_files is not None:
            write_all_import_files(run, Path(import_files))
        states = upload_all(run, upload) if upload is not None else ()
        return msgspec.structs.replace(read_outcome(run, "data"), uploads=states)


def _preview_upload(path: str | Path, upload: UploadOptions, emit: Emit) -> Outcome:
    """Tell what would be loaded, and how it stands there; nothing is run, sent or written."""
    from edgelift.stages.data.upload import upload_all

    project = read_project(Path(path))
    with contextlib.closing(Journal(project.state / "journal.db")) as journal:
        run = Run(project, journal, 0, Path(path), emit)
        states = upload_all(run, upload)
        return msgspec.structs.replace(read_outcome(run, "data"), uploads=states)


def move(
    url: str,
    to: str | Path,
    *,
    options: Options = DEFAULTS,
    accept: Sequence[str] = (),
    import_files: str | Path | None = None,
    emit: Emit = ignore,
) -> Outcome:
    """Move one database without an app into a folder: schema, data, report.

    With the option `plan_only` it ends behind the schema; the outcome tells in `papers`, from rates
    measured on chunks of the real data, what the move, and one of 10 TB, would take.

    The folder gets an edgelift.toml in which the password is a variable; `accept` are rules that
    are accepted in it. A folder that has one already goes on with the same database. Raises as the
    verbs `schema` and `data` do, UsageError when the folder belongs to another database.
    """
    from edgelift.stages.build.door_project import write_door_project
    from edgelift.stages.data import plan_moves
    from edgelift.stages.data.import_files import write_all_import_files
    from edgelift.stages.init.database_settings import write_database_project

    folder = Path(to)
    write_database_project(url, folder, accept=accept, force=options.force)
    with open_run("move", folder, options, emit) as run:
        if options.plan_only:
            _run_stages(run, "schema", options, only_if_forced=False)
            write_door_project(run)
            return msgspec.structs.replace(read_outcome(run, "move"), papers=plan_moves(run))
        _run_stages(run, "report", options, only_if_forced=False)
        write_door_project(run)
        if import_files is not None:
            write_all_import_files(run, Path(import_files))
        return read_outcome(run, "move")


def follow(
    origin: str | Path,
    to: str | Path | None = None,
    *,
    options: Options = DEFAULTS,
    follow_options: FollowOptions = FOLLOW_DEFAULTS,
    accept: Sequence[str] = (),
    emit: Emit = ignore,
) -> Outcome:
    """Copy databases and keep the copies up to date with their origins, change by change.

    `origin` is a project's folder, or with `to` a database's URL as for `move`. The first call
    copies, later ones go on; with `upload` the copy is then loaded into the deployed databases, and
    the changes go there. Returns once caught up if `follow_options` says so, else when
    KeyboardInterrupt ends it; slots and logs stay at the origin until `drop`. Raises OriginError
    when an origin cannot be followed or its schema changed, TargetError when a target refuses,
    VerificationMismatch when `verify` finds a difference.
    """
    from edgelift.stages import follow as stage
    from edgelift.stages.init.database_settings import write_database_project

    folder = Path(origin) if to is None else Path(to)
    if follow_options.preview:
        return _preview_following(folder, follow_options, emit)
    if to is not None:
        write_database_project(str(origin), folder, accept=accept)
    with open_run("follow", folder, options, emit) as run:
        run.current = "follow"
        if follow_options.drop:
            stage.drop(run, follow_options)
            return read_outcome(run, "follow")
        if options.force:
            stage.forget(run)
            run.journal.forget_steps(["schema", "data"])
        if not stage.is_begun(run, follow_options):
            _begin_following(run, follow_options)
        states = _upload_copies(run, follow_options)
        run_stage(run, stage.build_stage(follow_options))
        return msgspec.structs.replace(read_outcome(run, "follow"), uploads=states)


def _preview_following(folder: Path, options: FollowOptions, emit: Emit) -> Outcome:
    """Tell how following stands; nothing is run, sent or written."""
    from edgelift.stages import follow as stage

    if find_settings(folder) is None:
        text = f"{folder} would become a project, and the database be copied and followed"
        emit(Note(stage="follow", text=text))
        return Outcome(verb="follow", project=str(folder))
    project = read_project(folder)
    if not (project.state / "journal.db").exists():
        emit(Note(stage="follow", text="every database would be copied and followed"))
        return Outcome(verb="follow", project=str(folder))
    with contextlib.closing(Journal(project.state / "journal.db")) as journal:
        run = Run(project, journal, 0, folder, emit)
        run.current = "follow"
        stage.preview(run, options)
        return read_outcome(run, "follow")


def _upload_copies(run: Run, options: FollowOptions) -> tuple[UploadState, ...]:
    """Load the copies into the deployed databases that are to be followed, if any are."""
    from edgelift.stages.data.upload import upload_all

    if not options.upload:
        return ()
    states = upload_all(run, UploadOptions(url=options.upload, replace=options.replace))
    run.current = "follow"
    return states


def _begin_following(run: Run, options: FollowOptions) -> None:
    """Position first, then the snapshot, then the copy."""
    from edgelift.pipeline import run_pipeline
    from edgelift.stages import follow as stage
    from edgelift.stages.build.door_project import write_door_project

    stage.install_logs(run, options)
    run_pipeline(run, "schema")
    write_door_project(run)
    run.current = "follow"
    with stage.hold_origins(run):
        run_pipeline(run, "data")
    run.current = "follow"
    stage.create_targets(run, options)


def files(path: str | Path, *, options: Options = DEFAULTS, emit: Emit = ignore) -> Outcome:
    """Copy the static files that Cloudflare will serve, and prove them byte by byte."""
    return _run_until("files", path, options, emit)


def build(path: str | Path, *, options: Options = DEFAULTS, emit: Emit = ignore) -> Outcome:
    """Generate the Worker project and the local bundle."""
    return _run_until("build", path, options, emit)


def verify(path: str | Path, *, options: Options = DEFAULTS, emit: Emit = ignore) -> Outcome:
    """Prove that the Worker answers like the origin, or raise VerificationMismatch."""
    return _run_until("verify", path, options, emit)


def report(path: str | Path, *, options: Options = DEFAULTS, emit: Emit = ignore) -> Outcome:
    """Write the report of what is on record; stale proof is shown as such."""
    from edgelift.pipeline import check_freshness
    from edgelift.stages import report as stage

    with open_run("report", path, options, emit) as run:
        run.stale = find_stale(run.journal, check_freshness(run))
        run_stage(run, stage.STAGE)
        return read_outcome(run, "report")


def lift(path: str | Path, *, options: Options = DEFAULTS, emit: Emit = ignore) -> Outcome:
    """Run the whole pipeline: init when needed, then assess to report."""
    root = check_root(Path(path))
    if find_settings(root) is None:
        init(path, options=Options(), emit=emit)
    return _run_until("report", path, options, emit, verb="lift")


def status(path: str | Path) -> Outcome:
    """Tell where the project stands, without running or changing anything."""
    from edgelift.pipeline import check_freshness

    project = read_project(Path(path))
    with contextlib.closing(Journal(project.state / "journal.db")) as journal:
        run = Run(project, journal, 0, Path(path))
        states = check_freshness(run)
        run.stale = find_stale(journal, states)
        return read_outcome(run, "status", states)


def find_stale(journal: Journal, states: dict[str, str]) -> frozenset[str]:
    """Return the stages whose checks on record prove nothing of the project as it is now.

    A stage that failed or was stopped counts when its checks were made from earlier inputs.
    """
    steps = {record.name: record.inputs for record in journal.read_steps()}
    return frozenset(
        name
        for name, state in states.items()
        if state in {"stale", "never"}
        or (state != "done" and journal.read_check_inputs(name) != {steps.get(name)})
    )


def preview(path: str | Path, until: str = "report") -> tuple[PlannedStep, ...]:
    """Return what running up to `until` would do, stage by stage, without doing or writing it."""
    from edgelift.pipeline import check_freshness, find_stages

    root = check_root(Path(path))
    if find_settings(root) is None:
        names = [stage.name for stage in find_stages(until)]
        first = PlannedStep(name="init", action="run", reason="there is no edgelift.toml yet")
        return (first, *(PlannedStep(name=n, action="run", reason="never ran") for n in names))
    project = read_project(root)
    names = [stage.name for stage in find_stages(until, project.settings)]
    if not (project.state / "journal.db").exists():
        return tuple(PlannedStep(name=n, action="run", reason="never ran") for n in names)
    with contextlib.closing(Journal(project.state / "journal.db")) as journal:
        states = check_freshness(Run(project, journal, 0, Path(path)))
    reasons = {
        "done": "unchanged since it ended well",
        "stale": "its inputs changed",
        "failed": "it failed last time",
        "running": "it was stopped half-way",
        "never": "never ran",
    }
    return tuple(
        PlannedStep(
            name=n, action="skip" if states[n] == "done" else "run", reason=reasons[states[n]]
        )
        for n in names
    )


def read_outcome(run: Run, verb: str, states: dict[str, str] | None = None) -> Outcome:
    """Return what the journal holds as an Outcome."""
    journal = run.journal
    steps = {record.name: record for record in journal.read_steps()}
    if states is None:
        states = {name: record.status for name, record in steps.items()}
    report_file = run.project.state / "report" / "report.html"
    return Outcome(
        verb=verb,
        project=str(run.path),
        stages=tuple(
            StageState(
                name=name,
                state=state,
                summary=str((steps[name].result or {}).get("summary", "")) if name in steps else "",
                error=steps[name].error if name in steps else None,
            )
            for name, state in states.items()
        ),
        checks=run.read_checks(),
        findings=tuple(journal.read_findings()),
        runs=tuple(journal.read_runs(limit=5)) if verb == "status" else (),
        report=str(report_file) if report_file.exists() else None,
        settings=str(run.project.settings_path),
        follows=read_follows(journal),
    )


def read_follows(journal: Journal) -> tuple[FollowState, ...]:
    """Return where every followed database stands."""
    listed = journal.list_documents("follow:")
    found = [journal.read_document(name, FollowState) for name in listed]
    return tuple(state for state in found if state is not None)


def _run_until(
    until: str, path: str | Path, options: Options, emit: Emit, verb: str | None = None
) -> Outcome:
    name = verb or until
    with open_run(name, path, options, emit) as run:
        _run_stages(run, until, options, only_if_forced=verb is None)
        return read_outcome(run, name)


def _run_stages(run: Run, until: str, options: Options, *, only_if_forced: bool) -> None:
    """Run the pipeline up to a stage; a forced verb of one stage forgets that stage alone."""
    from edgelift.pipeline import run_pipeline

    if options.force or options.paranoid:
        run.journal.forget_steps([until] if only_if_forced else [])
    run_pipeline(run, until)


@contextlib.contextmanager
def open_run(verb: str, path: str | Path, options: Options, emit: Emit) -> Iterator[Run]:
    """Hold the project and its journal for one run, and record how it ended.

    Raises BusyError when another run holds the project.
    """
    from edgelift.sources.origin_database import mask_url

    project = read_project(Path(path))
    with hold_project(project.state):
        journal = Journal(project.state / "journal.db")
        with contextlib.closing(journal):
            run_id = journal.begin_run(verb, " ".join(["edgelift", *map(mask_url, sys.argv[1:])]))
            run = Run(project, journal, run_id, Path(path), emit)
            run.only = options.only
            run.force = options.force and verb in {"lift", "move"}
            run.paranoid = options.paranoid
            run.workers, run.scheduler = options.workers, options.scheduler
            code = Interrupted.exit_code
            try:
                yield run
                code = 0
            except EdgeliftError as error:
                code = error.exit_code
                error.outcome = read_outcome(run, verb)
                raise
            finally:
                journal.end_run(run_id, code)
