"""Run one scheduled job of the origin once: for the comparison of what jobs leave behind.

Runs under the origin's Python, in a scratch copy. Usage: run_job.py ENTRY NAME CALL
CALL is `module:function`; empty, the job is looked up by its id or name in the app's APScheduler.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import inspect
import sys


def find(reference: str) -> object:
    """Return the object that `module:name` refers to, called when written with `()`."""
    module, _, name = reference.partition(":")
    found: object = importlib.import_module(module)
    for part in name.removesuffix("()").split("."):
        found = getattr(found, part)
    return found() if name.endswith("()") and callable(found) else found


def find_scheduled(name: str) -> object:
    """Return a call of the APScheduler job with that id or name; exits when there is none."""
    try:
        base = importlib.import_module("apscheduler.schedulers.base")
    except ImportError:
        sys.exit(f"job {name}: no call is given and APScheduler is not installed")
    for scheduler in gc.get_objects():
        if isinstance(scheduler, base.BaseScheduler):
            for job in scheduler.get_jobs():
                if name in (job.id, job.name):
                    return lambda job=job: job.func(*job.args, **job.kwargs)
    sys.exit(f"job {name}: no APScheduler of the app has a job of that id or name")


def main(entry: str, name: str, call: str) -> None:
    """Import the app and run the job once, inside the app's context where it has one."""
    app = find(entry)
    job = find(call) if call else find_scheduled(name)
    enter = getattr(app, "app_context", contextlib.nullcontext)
    with enter():
        result = job()  # type: ignore[operator]
        if inspect.isawaitable(result):
            asyncio.run(result)  # type: ignore[arg-type]


if __name__ == "__main__":
    del sys.path[0]  # this folder must not shadow the origin's modules
    main(*sys.argv[1:])
