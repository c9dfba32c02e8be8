"""Runs an app's scheduled jobs when the platform's cron trigger fires."""

from __future__ import annotations

import importlib
import inspect
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from typing import Any

from edgelift.worker.loop import run_coroutine
from edgelift.worker.patches.apscheduler_jobs import find_recorded_job


class JobNotFoundError(LookupError):
    """No function and no recorded scheduler job has this name."""


def find_function(call: str) -> Callable[[], Any]:
    """Return the function "module:name" (or "module:Class.name") stands for.

    Raises JobNotFoundError.
    """
    module_name, _, path = call.partition(":")
    try:
        target: Any = importlib.import_module(module_name)
        for name in path.split("."):
            target = getattr(target, name)
    except (ImportError, AttributeError) as error:
        raise JobNotFoundError(f"{call}: {error}") from error
    return target


def find_job(job: dict[str, Any]) -> Callable[[], Any]:
    """Return what a declared job calls.

    Its function, or the job a scheduler of the app recorded by that name.
    """
    if job.get("call"):
        return find_function(job["call"])
    name = job["name"]
    recorded = find_recorded_job(name)
    if recorded is not None:
        return lambda: recorded.func(*recorded.args, **recorded.kwargs)
    for planned in getattr(sys.modules.get("schedule"), "jobs", ()):
        function = planned.job_func
        if function is not None and name in {*planned.tags, getattr(function, "__name__", "")}:
            return function
    raise JobNotFoundError(f"no scheduler of the app has a job {name!r}")


def app_context(framework: str, app: Any) -> AbstractContextManager[Any]:
    """Return Flask's application context, which its jobs usually need.

    Nothing for other frameworks.
    """
    if framework == "flask" and hasattr(app, "app_context"):
        return app.app_context()
    return nullcontext()


def run_job(job: dict[str, Any], framework: str, app: Any) -> dict[str, Any]:
    """Run one job and return its report; what it raises is logged and part of the report."""
    started = time.monotonic()
    error = ""
    try:
        function = find_job(job)
        with app_context(framework, app):
            result = function()
            if inspect.iscoroutine(result):
                run_coroutine(result)
    except (Exception, SystemExit) as raised:  # noqa: BLE001 - one job's error must not stop the next
        print(f"Error in job {job['name']}", file=sys.stderr)
        traceback.print_exception(raised, file=sys.stderr)
        error = "".join(traceback.format_exception_only(raised)).strip()
    elapsed_ms = round((time.monotonic() - started) * 1000, 1)
    return {"name": job["name"], "ok": not error, "error": error, "ms": elapsed_ms}


# What a run of a job is for, "" when it is the only one, and what is called before it.
Run = tuple[str, Callable[[], object]]
ONE_RUN: tuple[Run, ...] = (("", lambda: None),)


def run_due_jobs(
    jobs: list[dict[str, Any]],
    cron: str,
    framework: str,
    app: Any,
    runs: Sequence[Run] = ONE_RUN,
) -> list[dict[str, Any]]:
    """Run the jobs declared for this cron expression, one after the other, each in all its runs."""
    wanted = cron.split()
    due = [job for job in jobs if job["schedule"].split() == wanted]
    return [_sum_up([_run(job, framework, app, run) for run in runs]) for job in due]


def _run(job: dict[str, Any], framework: str, app: Any, run: Run) -> dict[str, Any]:
    name, prepare = run
    context = copy_context()
    context.run(prepare)
    report: dict[str, Any] = context.run(run_job, job, framework, app)
    if name and report["error"]:
        report["error"] = f"{name}: {report['error']}"
    return report


def _sum_up(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one report of all runs of a job; each was tried, whatever became of the others."""
    return {
        "name": reports[0]["name"],
        "ok": all(report["ok"] for report in reports),
        "error": "; ".join(report["error"] for report in reports if report["error"]),
        "ms": round(sum(report["ms"] for report in reports), 1),
    }
