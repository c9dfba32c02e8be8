"""Rules about work that no request starts: schedules, queues, crontabs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.project import list_files
from edgelift.sources.source_code.view import CodeView, Site

SCHEDULER = Rule(
    id="JOB-SCHEDULER",
    level=Level.NOTE,
    title="Runs jobs from a scheduler inside the app",
    why="a Worker is started by its cron triggers; edgelift runs the jobs of [[jobs]] by them",
    tip="see that edgelift.toml lists every job that matters",
)
NO_CRON = Rule(
    id="JOB-NO-CRON",
    level=Level.ERROR,
    title="A job has no cron expression",
    why="Workers' cron triggers have five fields, by the minute, in UTC",
    tip="give the job a schedule of your own under [[jobs]] in edgelift.toml, with the same name",
)
UNDECLARED = Rule(
    id="JOB-UNDECLARED",
    level=Level.WARNING,
    title="A job of the app is not in edgelift.toml",
    why="it will not run in the Worker",
    tip="add it under [[jobs]], or accept the rule when it is not wanted",
)
QUEUE = Rule(
    id="JOB-QUEUE",
    level=Level.WARNING,
    title="Hands work to a task queue",
    why="a Worker runs no task workers: tasks go to the broker as before and wait there for one of "
    "the origin's",
    tip="keep the workers running at the origin",
)
CRONTAB = Rule(
    id="JOB-CRONTAB",
    level=Level.WARNING,
    title="A crontab or timer belongs to the project",
    why="the machine's cron does not call the Worker",
    tip="declare what must run in the Worker under [[jobs]] in edgelift.toml",
)
RULES = (SCHEDULER, NO_CRON, UNDECLARED, QUEUE, CRONTAB)

_QUEUES = frozenset({"celery", "rq", "dramatiq", "huey", "arq", "django_q", "procrastinate",
                     "taskiq", "kombu"})  # fmt: skip
_SCHEDULERS = re.compile(
    r"^(apscheduler\.schedulers\.\w+\.\w+Scheduler|flask_apscheduler\.APScheduler"
    r"|schedule\.every|rq_scheduler\.Scheduler|crython\.job|rocketry\.Rocketry)$"
)
_CRON_LINE = re.compile(r"^(?:@\w+|(?:[\d*/,-]+\s+){4}[\w*/,-]+)\s+\S")


def check_scheduling(view: CodeView) -> Iterator[Finding]:
    """Yield schedulers, jobs that cron cannot run, queues and crontab files."""
    place: Site | None = None
    for site, _call, name in view.calls:
        if _SCHEDULERS.match(name):
            place = place or site
            yield SCHEDULER.at(f"{name}()", site.path, site.line)
    seen: set[str] = set()
    for site, module in view.imports:
        top = module.partition(".")[0]
        if top in _QUEUES and top not in seen and top not in view.names.modules:
            seen.add(top)
            yield QUEUE.at(f"import {module}", site.path, site.line)
    yield from _check_jobs(view, place)
    yield from _check_crontabs(view)


def _check_jobs(view: CodeView, place: Site | None) -> Iterator[Finding]:
    declared = {job.name for job in view.project.settings.jobs}
    for job in view.probe.jobs if view.probe else ():
        if job.name in declared:
            continue
        function = view.graph.functions.get(job.call.replace(":", "."))
        path = function.file.path if function else (place.path if place else None)
        line = function.node.lineno if function else (place.line if place else None)
        if job.problem or not job.schedule:
            yield NO_CRON.at(f"job {job.name} ({job.trigger}): {job.problem}", path, line)
        else:
            yield UNDECLARED.at(f"job {job.name} ({job.trigger})", path, line)


def _check_crontabs(view: CodeView) -> Iterator[Finding]:
    for file in list_files(view.project.root):
        path = PurePosixPath(file.relative_to(view.project.root).as_posix())
        if path.suffix == ".timer":
            yield CRONTAB.at(path.name, str(path), None)
        elif re.match(r"crontab|.*\.cron$|.*\.crontab$", path.name) or "cron.d" in path.parts:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            for number, line in enumerate(lines, 1):
                if _CRON_LINE.match(line.strip()):
                    yield CRONTAB.at(line.strip()[:80], str(path), number)
