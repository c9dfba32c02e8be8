"""The follow stage: keep a copied database up to date with its origin, change by change.

It stands beside the main path: the position first (`begin` makes slot or log, and hands their
snapshot to data), then data's copy, then the changes behind it into a file of its own, so that
data's proven copy stays what was proven.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType

from edgelift.errors import OriginError, UsageError
from edgelift.model.findings import Check
from edgelift.model.follow_state import FollowOptions, FollowState
from edgelift.model.followed_parts import FollowedParts
from edgelift.project import hash_inputs
from edgelift.run import Result, Run, Stage
from edgelift.sources.change_feed import FollowProblem, open_followed
from edgelift.stages.follow.checks import check, raise_mismatch
from edgelift.stages.follow.file_writer import create_file, finish_file, read_checkpoint
from edgelift.stages.follow.follower import Follower, open_follower
from edgelift.stages.follow.subjects import Database, list_databases, refuse_shards
from edgelift.stages.follow.writers import open_writers

_SHOWN = 5  # tables that an error names
_PATIENCE_S = 60.0  # for an origin that is gone, when an end is waited for
_LONG_PATIENCE_S = 3600.0  # when there is none


def is_begun(run: Run, options: FollowOptions) -> bool:
    """Return whether every database was copied, so that only changes are left."""
    databases = list_databases(run)
    if options.upload:
        return bool(databases) and all(database.is_copied(run) for database in databases)
    refuse_shards(run)
    return bool(databases) and all(database.is_begun() for database in databases)


def forget(run: Run) -> None:
    """Remove the followed files, so that the copy is made anew."""
    for database in list_databases(run):
        for ending in ("", "-wal", "-shm", ".part"):
            database.target.with_name(database.target.name + ending).unlink(missing_ok=True)


def install_logs(run: Run, options: FollowOptions) -> None:
    """Make the logs of changes in SQLite files, which must be there before their snapshot.

    Raises OriginError when that was not allowed, or cannot be.
    """
    for database in list_databases(run):
        if database.is_server:
            continue
        subject = database.to_subject(run, consent=options.install_triggers)
        with open_followed(subject) as followed:
            _stop_at(followed.find_problems(), database)
            with followed.prepare():
                run.note(f"{database.path} holds a log of its changes: {followed.handle}")


@contextlib.contextmanager
def hold_origins(run: Run) -> Iterator[None]:
    """Begin at every server: what data copies inside the block is the moment changes follow on.

    Raises OriginError when a server cannot be followed.
    """
    with contextlib.ExitStack() as stack:
        for database in list_databases(run):
            if not database.is_server:
                continue
            followed = stack.enter_context(open_followed(database.to_subject(run)))
            _stop_at(followed.find_problems(), database)
            parts = FollowedParts(parts=followed.read_parts())
            run.journal.write_document(f"followed:{database.name}", parts)
            ticket = stack.enter_context(followed.prepare())
            if ticket:
                run.tickets[database.name] = ticket
                run.note(
                    f"{followed.handle} made at {database.name}: the server keeps its log until it "
                    f"is applied here; end that with {run.command('follow', '--drop')}"
                )
            state = FollowState(
                database=database.name, product=followed.product,
                handle=database.handle if followed.handle else "", updated=time.time(),
            )  # fmt: skip
            run.journal.write_document(f"follow:{database.name}", state)
            # A copy made before has no place in this log.
            step = run.journal.read_step("data")
            if step is not None and step.status == "done":
                run.journal.forget_steps(["data"])
        yield


def _stop_at(problems: Sequence[FollowProblem], database: Database) -> None:
    if not problems:
        return
    alike: dict[str, list[FollowProblem]] = {}
    for problem in problems:
        alike.setdefault(problem.why, []).append(problem)
    listed = "; ".join(f"{_name_tables(found)}{why}" for why, found in alike.items())
    first = alike[problems[0].why]
    tip = "; ".join(dict.fromkeys(problem.tip for problem in first))
    raise OriginError(f"Changes of {database.name} cannot be followed", why=listed, tip=tip)


def _name_tables(problems: Sequence[FollowProblem]) -> str:
    """Return the first tables of the same problem, with a colon; '' for one of the whole server."""
    named = [problem.table for problem in problems if problem.table]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return f"{', '.join(named[:_SHOWN])}{more}: " if named else ""


def create_targets(run: Run, options: FollowOptions) -> None:
    """Make the files that are kept up to date from what data copied; deployed databases need none.

    Raises OriginError for a copy without position.
    """
    run.tickets.clear()
    for database in list_databases(run):
        start = database.read_start(run)
        if not start:
            raise OriginError(
                f"The copy of {database.name} has no position",
                why="the origin told none when its snapshot was taken",
                tip=f"copy anew: {run.command('follow', '--force')}",
            )
        if not options.upload:
            create_file(database.copy, database.target, start)


def preview(run: Run, options: FollowOptions) -> None:
    """Tell how every database stands and what would be done; changes nothing."""
    with open_writers(run, options) as writers:
        for database in list_databases(run):
            copied = database.is_copied(run) if options.upload else database.is_begun()
            done = writers.read_checkpoint(database) if copied else None
            if done is not None:
                words = f"{done.transactions} transactions are applied, up to {done.position}"
            else:
                words = "it would be followed from its copy on" if copied else "it would be copied"
            run.note(f"{database.name}: {words}")


def drop(run: Run, options: FollowOptions) -> None:
    """Remove what following left at the origins and end it; the followed files stay as they are.

    With `upload` the deployed databases forget their positions too. Raises OriginError,
    TargetError when one does not answer.
    """
    with open_writers(run, options) as writers:
        for database in list_databases(run) if options.upload else ():
            writers.finish(database)
            run.note(f"{database.name} is no longer followed at {options.upload}")
    for database in list_databases(run):
        known = run.journal.read_document(f"follow:{database.name}", FollowState)
        with open_followed(database.to_bare_subject()) as followed:
            followed.drop()
            left = followed.handle
        run.note(f"{left or 'nothing'} removed at the origin of {database.name}")
        if known is not None:
            ended = FollowState(
                database=known.database, product=known.product, handle="", state="ended",
                start=known.start, position=known.position, transactions=known.transactions,
                rows=known.rows, updated=time.time(), verified=known.verified,
            )  # fmt: skip
            run.journal.write_document(f"follow:{database.name}", ended)
        _end_file(database)


def _end_file(database: Database) -> None:
    """Put the followed file aside as a plain one: it cannot be followed any further."""
    if read_checkpoint(database.target) is not None:
        finish_file(database.target, database.target.with_name(f"{database.name}.final.sqlite"))


def build_stage(options: FollowOptions) -> Stage:
    """Return the stage that follows as the options say; it is never skipped."""
    return Stage(
        name="follow",
        inputs=lambda _run: hash_inputs(time.time_ns()),
        work=lambda run: _work(run, options),
    )


def _work(run: Run, options: FollowOptions) -> Result:
    patience_s = _PATIENCE_S if options.until_caught_up else _LONG_PATIENCE_S
    checks: list[Check] = []
    with contextlib.ExitStack() as stack:
        writers = stack.enter_context(open_writers(run, options))
        followers = [
            stack.enter_context(
                open_follower(run, database, writers.open(database), patience_s=patience_s)
            )
            for database in list_databases(run)
        ]
        if not followers:
            raise UsageError(
                "There is no database to follow",
                why="the project has none that moves",
                tip="name it in edgelift.toml, or give its url with --to",
            )
        asked = stack.enter_context(_note_interrupts())
        try:
            for follower in followers:
                follower.catch_up()
                checks += check(run, follower, verify=options.verify)
            run.record_checks(checks)
            raise_mismatch(checks)
            while not options.until_caught_up and not asked.is_set():
                for follower in followers:
                    follower.advance(0.5 / len(followers))
                    follower.tell()
        except KeyboardInterrupt:
            if options.until_caught_up:
                raise
        if not options.until_caught_up:
            run.note("stopped; the same command goes on from here")
            for follower in followers:
                follower.save("stopped")
        return _summarize(followers)


@contextlib.contextmanager
def _note_interrupts() -> Iterator[threading.Event]:
    """Yield what remembers a Ctrl-C: raised inside a driver's callback it would go unnoticed."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _summarize(followers: Sequence[Follower]) -> Result:
    done = [follower.writer.checkpoint for follower in followers]
    transactions, rows = sum(d.transactions for d in done), sum(d.rows for d in done)
    states = {follower.state.state for follower in followers}
    return {
        "summary": f"{transactions} transactions, {rows} changed rows applied, "
        f"{' and '.join(sorted(states))}",
        "counts": {"transactions": transactions, "rows": rows},
    }


__all__ = [
    "build_stage",
    "create_targets",
    "drop",
    "forget",
    "hold_origins",
    "install_logs",
    "is_begun",
    "preview",
]
