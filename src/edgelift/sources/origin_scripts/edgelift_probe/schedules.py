"""Finds scheduled jobs of an imported app and writes their times as cron expressions in UTC.

Runs under the origin's Python. Knows APScheduler (whose start is held back, so that no thread
runs), the `schedule` package and Celery beat.
"""

from __future__ import annotations

import datetime as dt
import gc
import re
import sys
from types import ModuleType
from typing import Any

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CONVERTIBLE = re.compile(r"[\d*,/-]+")

started: list[object] = []


def hold_back(module: ModuleType) -> None:
    """Replace `start` of every APScheduler class, those defined later included."""

    def start(self: object, *_arguments: object, **_options: object) -> None:
        started.append(self)

    def __init_subclass__(cls: Any, **options: object) -> None:  # noqa: N807
        super(base, cls).__init_subclass__(**options)
        if "start" in cls.__dict__:
            cls.start = start

    base = module.BaseScheduler
    base.start = start
    base.__init_subclass__ = classmethod(__init_subclass__)  # type: ignore[arg-type]


def find_jobs() -> list[dict[str, object]]:
    """Return every job: name, call, schedule ("" when cron cannot say it), trigger, problem."""
    found = [*_find_apscheduler(), *_find_schedule(), *_find_celery()]
    return sorted(found, key=lambda job: str(job["name"]))


def _job(name: object, call: str, trigger: str, schedule: str, problem: str) -> dict[str, object]:
    return {
        "name": str(name),
        "call": call,
        "trigger": trigger,
        "schedule": schedule,
        "problem": problem,
    }


def _find_apscheduler() -> list[dict[str, object]]:
    module = sys.modules.get("apscheduler.schedulers.base")
    if module is None:
        return []
    schedulers = [o for o in gc.get_objects() if isinstance(o, module.BaseScheduler)]
    found = []
    for scheduler in schedulers:
        running = any(scheduler is other for other in started)
        for job in scheduler.get_jobs():
            schedule, problem = _read_trigger(job.trigger)
            call = job.func_ref or ""
            if job.args or job.kwargs or not re.fullmatch(r"[\w.]+:[\w.]+", call):
                call = ""
            if not running:
                problem = "its scheduler is not started by the app"
            found.append(_job(job.id, call, str(job.trigger), schedule, problem))
    return found


def _read_trigger(trigger: object) -> tuple[str, str]:
    kind = type(trigger).__name__
    if kind == "IntervalTrigger":
        return seconds_to_cron(trigger.interval.total_seconds())  # type: ignore[attr-defined]
    if kind == "CronTrigger":
        return _read_cron(trigger)
    return "", f"a {kind} has no cron expression"


def _read_cron(trigger: object) -> tuple[str, str]:
    fields = {field.name: str(field) for field in trigger.fields}  # type: ignore[attr-defined]
    zone = trigger.timezone  # type: ignore[attr-defined]
    offset = dt.datetime.now(zone).utcoffset()
    if fields["year"] != "*" or fields["week"] != "*" or fields["second"] != "0":
        return "", "years, week numbers and seconds have no cron expression"
    texts = [fields[name] for name in ("minute", "hour", "day", "month")]
    if not all(_CONVERTIBLE.fullmatch(text) for text in texts):
        return "", f"{' '.join(texts)} has no cron expression"
    day = fields["day_of_week"]
    # APScheduler counts days from Monday, cron from Sunday: names mean the same in both.
    day = re.sub(r"\d+", lambda match: DAYS[int(match.group()) % 7], day)
    if offset and (fields["hour"] != "*" or day != "*" or fields["day"] != "*"):
        return "", f"it runs by the clock of {zone}, Workers' crons by UTC"
    return " ".join([*texts, day]), ""


def seconds_to_cron(seconds: float) -> tuple[str, str]:
    """Return a cron expression for an interval and "", or "" and why there is none."""
    minutes = seconds / 60
    if minutes < 1 or minutes != int(minutes):
        return "", f"every {seconds:g} s is not a whole number of minutes"
    minutes = int(minutes)
    if minutes < 60 and 60 % minutes == 0:
        return ("* * * * *" if minutes == 1 else f"*/{minutes} * * * *"), ""
    hours = minutes // 60
    if minutes % 60 == 0 and hours < 24 and 24 % hours == 0:
        return ("0 * * * *" if hours == 1 else f"0 */{hours} * * *"), ""
    if minutes == 24 * 60:
        return "0 0 * * *", ""
    if minutes == 7 * 24 * 60:
        return "0 0 * * sun", ""
    return "", f"every {minutes} minutes does not divide an hour or a day evenly"


def _find_schedule() -> list[dict[str, object]]:
    module = sys.modules.get("schedule")
    scheduler = getattr(module, "default_scheduler", None)
    found = []
    for job in getattr(scheduler, "jobs", []):
        function = getattr(job.job_func, "func", job.job_func)
        call = f"{function.__module__}:{function.__qualname__}"
        units = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800}
        schedule, problem = "", "its times have no cron expression"
        if job.unit in units and job.at_time is None and job.start_day is None:
            schedule, problem = seconds_to_cron(units[job.unit] * job.interval)
        elif job.unit == "days" and job.interval == 1 and job.at_time is not None:
            schedule, problem = "", "it runs by the local clock, Workers' crons by UTC"
        found.append(_job(function.__name__, call, repr(job), schedule, problem))
    return found


def _find_celery() -> list[dict[str, object]]:
    module = sys.modules.get("celery.app.base")
    found = []
    for app in [o for o in gc.get_objects() if module and isinstance(o, module.Celery)]:
        for name, entry in dict(app.conf.beat_schedule or {}).items():
            problem = "Celery beat sends it to workers, and a Worker runs none"
            found.append(_job(name, "", str(entry.get("schedule")), "", problem))
    return found
