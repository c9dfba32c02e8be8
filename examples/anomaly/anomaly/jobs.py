"""The scheduled refresh: every five minutes the stalest tokens are scored again."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask, current_app
from sqlalchemy import delete, func, or_, select

from .clock import utc_now
from .extensions import db
from .keys import forget_old_windows
from .models import Event, RefreshRun, Token
from .predictions import score_tokens

log = logging.getLogger(__name__)

KEEP_EVENTS = 5000

scheduler = BackgroundScheduler(timezone="UTC")
_app: Flask | None = None


def init_jobs(app: Flask) -> None:
    global _app
    _app = app
    if app.config["SCHEDULER_ENABLED"] and not scheduler.running:
        scheduler.add_job(
            refresh_stale_tokens,
            "cron",
            minute="*/5",
            id="refresh-stale-tokens",
            replace_existing=True,
            max_instances=1,
        )
        scheduler.start()


def refresh_stale_tokens() -> int:
    """Score the stalest tokens again; returns how many. The scheduler calls this, anyone may."""
    if _app is None:
        raise RuntimeError("init_jobs was not called")
    with _app.app_context():
        rescored = refresh(_app.config["REFRESH_BATCH_SIZE"])
        forget_old_windows()
        prune_events()
    log.info("refreshed %d tokens", rescored["rescored"])
    return rescored["rescored"]


def refresh(limit: int) -> dict[str, float]:
    """Rescore up to `limit` tokens whose newest prediction has expired, oldest first."""
    started = time.perf_counter()
    now = utc_now()
    ttl = timedelta(seconds=current_app.config["PREDICTION_TTL_S"])
    tokens = db.session.scalars(
        select(Token)
        .where(or_(Token.last_scored_at.is_(None), Token.last_scored_at <= now - ttl))
        .order_by(Token.last_scored_at, Token.id)
        .limit(limit)
    ).all()
    payloads = score_tokens(tokens) if tokens else {}
    run = {
        "rescored": len(payloads),
        "anomalous": sum(p["label"] == "anomalous" for p in payloads.values()),
        "duration_ms": round((time.perf_counter() - started) * 1000, 1),
    }
    db.session.add(RefreshRun(finished_at=utc_now(), **run))
    db.session.commit()
    return run


def prune_events() -> None:
    newest = select(func.max(Event.id)).scalar_subquery()
    db.session.execute(delete(Event).where(Event.id <= newest - KEEP_EVENTS))
    db.session.commit()
