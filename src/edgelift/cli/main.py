"""The `edgelift` command: each verb calls the library function of its name."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec
from rich.console import Console
from rich.markup import escape

import edgelift
from edgelift.cli.display import Display, format_check
from edgelift.cli.printing import finish, print_json, show_plan
from edgelift.errors import EdgeliftError, Interrupted
from edgelift.events import Event, FollowLag

if TYPE_CHECKING:
    from types import FrameType


EXIT_CODES = (
    "Exit codes: 0 ok, 1 bug, 2 usage or configuration, 3 blockers found, 4 origin, 5 target, "
    "6 verification mismatch, 7 rolled back, 130 interrupted."
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(edgelift.__version__, prog_name="edgelift")
def cli() -> None:
    """Lift a running backend to Cloudflare Workers without editing its source, with proof.

    \b
    Start here:
      edgelift lift path/of/backend       everything, ending with the report
      edgelift assess path/of/backend     only look: what is there, what stands in the way
      edgelift status path/of/backend     where the project stands
    """  # noqa: D301 - \b is click's mark for "do not wrap"


Verb = Callable[..., None]


def common(*, writes: bool = True) -> Callable[[Verb], Verb]:
    """Add the options that all verbs share: PATH, --json, --debug and, for writers, two more."""

    def decorate(function: Verb) -> Verb:
        if writes:
            function = click.option(
                "--force", is_flag=True, help="Do it again although unchanged."
            )(function)
            function = click.option(
                "--dry-run", is_flag=True, help="Show what would be done; change nothing."
            )(function)
        function = click.option("--debug", is_flag=True, help="Show tracebacks.")(function)
        function = click.option(
            "--json", "as_json", is_flag=True, help="Print the result as JSON on stdout."
        )(function)
        return click.argument("path", type=click.Path(path_type=Path))(function)

    return decorate


def scaling(function: Verb) -> Verb:
    """Add the options that say who reads the chunks of a server's database."""
    function = click.option(
        "--scheduler", metavar="ADDRESS",
        help="Read chunks on a Dask cluster: tcp://host:8786.",
    )(function)  # fmt: skip
    return click.option(
        "--workers", type=click.IntRange(1, 256), metavar="N",
        help="Read chunks in N processes, where the server's snapshot can be joined.",
    )(function)  # fmt: skip


def stage_verb(name: str, summary: str, example: str) -> None:
    """Define the CLI verb of a pipeline stage."""

    @common()
    def run(path: Path, *, as_json: bool, debug: bool, dry_run: bool, force: bool) -> None:
        del debug
        if dry_run:
            show_plan(path, name, as_json=as_json)
            return
        function = getattr(edgelift, name)
        with Display() as display:
            outcome = function(path, options=edgelift.Options(force=force), emit=display)
        finish(outcome, as_json=as_json, stage=name)

    run.__doc__ = f"{summary}\n\n\b\nExample:\n  {example}\n"
    cli.command(name)(run)


stage_verb(
    "assess",
    "Take the inventory of the origin and list what matters, with file and line.",
    "edgelift assess examples/anomaly --json",
)
stage_verb(
    "plan",
    "Choose a strategy for every part; exit 3 when something would be lost silently.",
    "edgelift plan examples/anomaly",
)
stage_verb(
    "schema",
    "Convert the database schema and load it into the real engine.",
    "edgelift schema examples/anomaly",
)
stage_verb(
    "files", "Copy the static files and prove them byte by byte.", "edgelift files examples/anomaly"
)
stage_verb(
    "build", "Generate the Worker project and the local bundle.", "edgelift build examples/anomaly"
)


@cli.command("init")
@common()
def init(path: Path, *, as_json: bool, debug: bool, dry_run: bool, force: bool) -> None:
    """Detect what the backend is and write its edgelift.toml.

    \b
    Examples:
      edgelift init examples/anomaly
      edgelift init examples/anomaly --force      detect again, replacing the file
    """  # noqa: D301
    del debug
    options = edgelift.Options(force=force, dry_run=dry_run)
    with Display() as display:
        outcome = edgelift.init(path, options=options, emit=display)
    if as_json:
        print_json(outcome)
    elif outcome.settings_text:
        click.echo(outcome.settings_text)
    else:
        click.echo(outcome.settings)


@cli.command("data")
@common()
@click.option("--paranoid", is_flag=True, help="Let a second engine read every chunk again.")
@click.option(
    "--import-files", type=click.Path(path_type=Path), metavar="FOLDER",
    help="Also write SQL files for D1's import.",
)  # fmt: skip
@click.option(
    "--upload", metavar="URL",
    help="Then load the rows into the databases deployed at URL; see build/worker/DEPLOY.md.",
)  # fmt: skip
@click.option("--replace", is_flag=True, help="With --upload: delete first what is there.")
@scaling
def data(  # noqa: PLR0913 - one parameter per option
    path: Path,
    *,
    as_json: bool,
    debug: bool,
    dry_run: bool,
    force: bool,
    paranoid: bool,
    import_files: Path | None,
    upload: str | None,
    replace: bool,
    workers: int | None,
    scheduler: str | None,
) -> None:
    """Copy every row and prove by hash that none was lost or changed.

    \b
    Examples:
      edgelift data examples/anomaly
      edgelift data examples/anomaly --import-files upload
      edgelift data path/of/backend --paranoid
      edgelift data path/of/backend --workers 4
      edgelift data path/of/backend --upload https://shop-sql.example.workers.dev
    """  # noqa: D301
    del debug
    wanted = (
        edgelift.UploadOptions(url=upload, replace=replace, preview=dry_run) if upload else None
    )
    if replace and not upload:
        raise click.UsageError("--replace says what --upload may delete; give it --upload URL")
    if dry_run and wanted is None:
        show_plan(path, "data", as_json=as_json)
        return
    options = edgelift.Options(force=force, paranoid=paranoid, workers=workers, scheduler=scheduler)
    with Display() as display:
        outcome = edgelift.data(
            path, options=options, import_files=import_files, upload=wanted, emit=display
        )
    finish(outcome, as_json=as_json, stage="data")


@cli.command("move")
@click.argument("url")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), required=True, metavar="FOLDER",
    help="Folder for the project and everything made of it.",
)  # fmt: skip
@click.option("--accept", multiple=True, metavar="RULE", help="Accept a rule; may be repeated.")
@click.option("--paranoid", is_flag=True, help="Let a second engine read every chunk again.")
@click.option(
    "--import-files", type=click.Path(path_type=Path), metavar="FOLDER",
    help="Also write SQL files for D1's import.",
)  # fmt: skip
@click.option(
    "--plan-only", is_flag=True, help="Tell what the move and 10 TB would take; move no row."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.option("--force", is_flag=True, help="Do it again although unchanged.")
@scaling
def move(  # noqa: PLR0913 - one parameter per option
    url: str,
    *,
    folder: Path,
    accept: tuple[str, ...],
    paranoid: bool,
    import_files: Path | None,
    plan_only: bool,
    as_json: bool,
    debug: bool,
    force: bool,
    workers: int | None,
    scheduler: str | None,
) -> None:
    """Move one database without an app: convert its schema, copy and prove every row.

    FOLDER becomes a project of its own: its edgelift.toml takes casts, renames and exclusions, and
    `schema`, `data`, `report` and `status` work on it. A password in URL is not written there.

    \b
    Examples:
      edgelift move postgresql://reader:secret@db.example.org/shop --to shop
      edgelift move mysql://reader@localhost/shop --to shop --accept SCHEMA-ROUTINE
      edgelift move mysql://reader@localhost/shop --to shop --import-files upload
      edgelift move postgresql://reader@db/shop --to shop --plan-only
      edgelift move postgresql://reader@db/shop --to shop --scheduler tcp://10.0.0.5:8786
    """  # noqa: D301
    del debug
    options = edgelift.Options(
        force=force, paranoid=paranoid, workers=workers, scheduler=scheduler, plan_only=plan_only
    )
    with Display() as display:
        outcome = edgelift.move(
            url,
            folder,
            options=options,
            accept=accept,
            import_files=import_files,
            emit=display,
        )
    finish(outcome, as_json=as_json, summary=not plan_only)


@cli.command("follow")
@click.argument("origin", metavar="PATH|URL")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), metavar="FOLDER",
    help="Folder for the project, when a URL is followed.",
)  # fmt: skip
@click.option("--until-caught-up", is_flag=True, help="End when all is applied; else on Ctrl-C.")
@click.option("--verify", is_flag=True, help="Once caught up, compare every row by hash.")
@click.option(
    "--install-triggers", is_flag=True,
    help="Allow a table and triggers in a SQLite origin; needed once.",
)  # fmt: skip
@click.option(
    "--requests", is_flag=True,
    help="Apply by batches of statements within D1's limits, as to a remote target.",
)  # fmt: skip
@click.option(
    "--upload", metavar="URL", default="",
    help="Load the copy into the databases deployed at URL and apply the changes there; see "
    "build/worker/DEPLOY.md.",
)  # fmt: skip
@click.option("--replace", is_flag=True, help="With --upload: delete first what is there.")
@click.option(
    "--drop", "--remove", is_flag=True,
    help="End following: remove slot, publication or triggers at the origin.",
)  # fmt: skip
@click.option("--accept", multiple=True, metavar="RULE", help="Accept a rule; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print lag and result as lines of JSON.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.option("--dry-run", is_flag=True, help="Tell how all stands; change nothing.")
@click.option("--force", is_flag=True, help="Judge and copy anew.")
def follow(  # noqa: PLR0913 - one parameter per option
    origin: str,
    *,
    folder: Path | None,
    until_caught_up: bool,
    verify: bool,
    install_triggers: bool,
    requests: bool,
    upload: str,
    replace: bool,
    drop: bool,
    accept: tuple[str, ...],
    as_json: bool,
    debug: bool,
    dry_run: bool,
    force: bool,
) -> None:
    """Copy databases and keep the copies up to date with their origins, change by change.

    The first call copies, later ones go on where it stood, after a kill too. Ctrl-C ends it cleanly
    (exit 0): the origin keeps what is needed to go on, until --drop.

    \b
    Examples:
      edgelift follow postgresql://reader:secret@db.example.org/shop --to shop
      edgelift follow shop --until-caught-up --verify
      edgelift follow notes.sqlite --to notes --install-triggers
      edgelift follow shop --upload https://shop-sql.example.workers.dev
      edgelift follow shop --upload https://shop-sql.example.workers.dev --until-caught-up --verify
      edgelift follow shop --drop
    """  # noqa: D301
    del debug
    if replace and not upload:
        raise click.UsageError("--replace says what --upload may delete; give it --upload URL")
    if requests and upload:
        raise click.UsageError("--requests is for the local file; --upload sends requests")
    wanted = edgelift.FollowOptions(
        until_caught_up=until_caught_up,
        verify=verify,
        install_triggers=install_triggers,
        requests=requests,
        upload=upload,
        replace=replace,
        preview=dry_run,
        drop=drop,
    )
    with Display() as display:

        def emit(event: Event) -> None:
            display(event)
            if as_json and isinstance(event, FollowLag):
                click.echo(msgspec.json.encode(event).decode())
                sys.stdout.flush()

        outcome = edgelift.follow(
            origin,
            folder,
            options=edgelift.Options(force=force),
            follow_options=wanted,
            accept=accept,
            emit=emit,
        )
    if as_json:
        print_json(outcome)
        return
    for check in outcome.checks:
        if check.stage == "follow" and not drop:
            click.echo(f"{check.status.value} {check.title}: {check.evidence}")
    for state in outcome.follows:
        click.echo(state.describe())


@cli.command("verify")
@common()
@click.option("--only", metavar="ID", help="Repeat one check, as the report's `reproduce` says.")
def verify(
    path: Path, *, as_json: bool, debug: bool, dry_run: bool, force: bool, only: str | None
) -> None:
    """Prove that the Worker answers like the origin; exit 6 when it does not.

    \b
    Examples:
      edgelift verify examples/anomaly
      edgelift verify examples/anomaly --only verify.parity.generated
    """  # noqa: D301
    del debug
    if dry_run:
        show_plan(path, "verify", as_json=as_json)
        return
    options = edgelift.Options(force=force or only is not None, only=only)
    with Display() as display:
        outcome = edgelift.verify(path, options=options, emit=display)
    finish(outcome, as_json=as_json, stage="verify")


@cli.command("report")
@common(writes=False)
def report(path: Path, *, as_json: bool, debug: bool) -> None:
    """Write the report of what is on record: report.json, .md, .html, JUnit and SARIF.

    \b
    Example:
      edgelift report examples/anomaly
    """  # noqa: D301
    del debug
    with Display() as display:
        outcome = edgelift.report(path, emit=display)
    finish(outcome, as_json=as_json)


@cli.command("status")
@common(writes=False)
def status(path: Path, *, as_json: bool, debug: bool) -> None:
    """Tell where the project stands: which stages are done, stale, failed or were never run.

    \b
    Example:
      edgelift status examples/anomaly
    """  # noqa: D301
    del debug
    outcome = edgelift.status(path)
    if as_json:
        print_json(outcome)
        return
    console = Console(highlight=False)
    marks = {"done": "[green]✓[/]", "failed": "[red]✗[/]", "never": "·"}
    for stage in outcome.stages:
        mark = marks.get(stage.state, "[yellow]![/]")
        text = escape(stage.error or stage.summary)
        console.print(f"{mark} {stage.name:<8} {stage.state:<8} {text}", soft_wrap=True)
    for state in outcome.follows:
        console.print(f"follow   {escape(state.describe())}", soft_wrap=True)
    for check in outcome.checks:
        console.print("  " + format_check(check), soft_wrap=True)
    for run in outcome.runs:
        ended = "running or killed" if run.exit_code is None else f"exit {run.exit_code}"
        console.print(f"  [dim]run {run.id}: {run.verb}, {ended}[/]")


@cli.command("lift")
@common()
@click.option("--exit", "exit_", is_flag=True, help="End with the verdict instead of serving.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to serve on.")
def lift(  # noqa: PLR0913 - one parameter per option
    path: Path, *, as_json: bool, debug: bool, dry_run: bool, force: bool, exit_: bool, port: int
) -> None:
    """Lift a backend: assess, plan, schema, data, files, build, verify, report.

    Finished stages are skipped; a killed run continues where it stood. On a terminal the lifted app
    is served at the end until Ctrl-C.

    \b
    Examples:
      edgelift lift examples/anomaly
      edgelift lift examples/anomaly --exit --json
      edgelift lift examples/anomaly --dry-run
    """  # noqa: D301
    del debug
    if dry_run:
        show_plan(path, "report", as_json=as_json)
        return
    with Display() as display:
        try:
            outcome = edgelift.lift(path, options=edgelift.Options(force=force), emit=display)
        except EdgeliftError as error:
            if isinstance(error.outcome, edgelift.Outcome) and not as_json:
                finish(error.outcome, as_json=False, summary=True)
            raise
        finish(outcome, as_json=as_json, summary=True)
    if exit_ or as_json or not sys.stdout.isatty():
        return
    with (
        contextlib.suppress(KeyboardInterrupt),
        Display() as display,
        edgelift.serve(path, port=port, emit=display) as worker,
    ):
        click.echo(f"\nThe lifted app: {worker.url}   (Ctrl-C ends it)")
        threading.Event().wait()


@cli.command("dev")
@common(writes=False)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port; 0 picks a free one.")
def dev(path: Path, *, as_json: bool, debug: bool, port: int) -> None:
    """Serve the lifted app with its live log; build and start again when a file changes.

    \b
    Examples:
      edgelift dev examples/anomaly
      edgelift dev examples/anomaly --port 8787
    """  # noqa: D301
    del debug

    def ready(url: str) -> None:
        if as_json:
            click.echo(msgspec.json.encode({"url": url}).decode())
        else:
            click.echo(f"Serving {url}   (Ctrl-C ends it)")
        sys.stdout.flush()

    with contextlib.suppress(KeyboardInterrupt), Display() as display:
        edgelift.dev(path, port=port, emit=display, ready=ready)


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code that errors.py gives."""
    arguments = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGTERM, _on_signal)
    debug, as_json = "--debug" in arguments, "--json" in arguments
    try:
        cli.main(arguments, prog_name="edgelift", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _fail(_from_click(error), debug=debug, as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        _fail(
            Interrupted(
                "Stopped",
                why="the run was interrupted; finished work is kept",
                tip="run the same command again to go on",
            ),
            debug=debug,
            as_json=as_json,
        )
    except EdgeliftError as error:
        _fail(error, debug=debug, as_json=as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug is exit code 1
        _fail(
            EdgeliftError(
                "edgelift met a bug of its own",
                why=f"{type(error).__name__}: {error}",
                tip="run again with --debug and report the traceback",
            ),
            debug=debug,
            as_json=as_json,
        )


def _from_click(error: click.ClickException) -> EdgeliftError:
    from edgelift.errors import UsageError

    where = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        where = error.ctx.command_path
    return UsageError(
        "The command line is wrong",
        why=error.format_message(),
        tip=f"run: {where or 'edgelift'} --help",
    )


def _fail(error: EdgeliftError, *, debug: bool, as_json: bool) -> NoReturn:
    if debug:
        traceback.print_exc()
    for line in error.lines():
        click.echo(line, err=True)
    if as_json:
        body = {
            "error": {"what": error.what, "why": error.why, "tip": error.tip},
            "exit_code": error.exit_code,
            "outcome": error.outcome,
        }
        click.echo(msgspec.json.encode(body).decode())
    sys.exit(error.exit_code)
