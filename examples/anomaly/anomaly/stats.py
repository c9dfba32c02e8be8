"""Numbers for the dashboard and /api/stats."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, text

from .clock import to_iso
from .counters import read_counters
from .extensions import db
from .models import LABELS, Chain, Prediction, RefreshRun, Token
from .scoring import get_scorer

BUCKETS = 10


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _read_distribution() -> list[dict[str, Any]]:
    rows = db.session.execute(
        text("SELECT bucket, tokens, anomalous, suspicious FROM score_buckets")
    )
    found = {row.bucket: row for row in rows}
    return [
        {
            "from": i / BUCKETS,
            "to": (i + 1) / BUCKETS,
            "tokens": found[i].tokens if i in found else 0,
            "suspicious": found[i].suspicious if i in found else 0,
            "anomalous": found[i].anomalous if i in found else 0,
        }
        for i in range(BUCKETS)
    ]


def _read_refresh() -> dict[str, Any] | None:
    last = db.session.scalar(select(RefreshRun).order_by(RefreshRun.id.desc()).limit(1))
    if last is None:
        return None
    return {
        "finished_at": to_iso(last.finished_at),
        "rescored": last.rescored,
        "anomalous": last.anomalous,
        "duration_ms": last.duration_ms,
    }


def read_stats() -> dict[str, Any]:
    counters = read_counters()
    hits, misses = counters.get("cache_hits", 0), counters.get("cache_misses", 0)
    ok, failed = counters.get("hosted_ok", 0), counters.get("hosted_failed", 0)
    labels = dict(
        db.session.execute(
            select(Token.last_label, func.count())
            .where(Token.last_label.is_not(None))
            .group_by(Token.last_label)
        ).all()
    )
    chains = db.session.execute(
        select(Chain.slug, func.count(Token.id), func.max(Token.last_score))
        .join(Token, Token.chain_id == Chain.id)
        .group_by(Chain.id)
        .order_by(Chain.id)
    )
    return {
        "tokens": {
            "total": db.session.scalar(select(func.count()).select_from(Token)),
            "scored": sum(labels.values()),
            "labels": {label: labels.get(label, 0) for label in LABELS},
        },
        "predictions": {
            "total": db.session.scalar(select(func.count()).select_from(Prediction)),
            "newest": to_iso(db.session.scalar(select(func.max(Token.last_scored_at)))),
        },
        "chains": [
            {"chain": slug, "tokens": count, "max_score": score} for slug, count, score in chains
        ],
        "cache": {"hits": hits, "misses": misses, "hit_ratio": _ratio(hits, hits + misses)},
        "model": {
            "primary": get_scorer().primary,
            "hosted_ok": ok,
            "hosted_failed": failed,
            "fallback_ratio": _ratio(failed, ok + failed),
        },
        "distribution": _read_distribution(),
        "last_refresh": _read_refresh(),
    }
