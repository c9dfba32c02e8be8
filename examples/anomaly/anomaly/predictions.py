"""Predictions: looked up in memory, then in the database, and only then computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from cachetools import TTLCache
from flask import current_app
from sqlalchemy import func, insert, select

from .clock import to_iso, utc_now
from .counters import add_to_counter
from .extensions import db
from .features import compute_features
from .models import Prediction, Token
from .scoring import Score, get_scorer

CACHE_SIZE = 4096

# token id -> (expires_at, payload). The database is the shared cache; this saves it the reads.
_memory: TTLCache[int, tuple[datetime, dict[str, Any]]] = TTLCache(maxsize=CACHE_SIZE, ttl=300)
_memory_lock = Lock()


def _recall(token_id: int, now: datetime) -> dict[str, Any] | None:
    with _memory_lock:
        entry = _memory.get(token_id)
    return entry[1] if entry is not None and entry[0] > now else None


def _remember(token_id: int, expires_at: datetime, payload: dict[str, Any]) -> None:
    with _memory_lock:
        _memory[token_id] = (expires_at, payload)


def clear_memory() -> None:
    with _memory_lock:
        _memory.clear()


def _describe(token: Token, medians: Mapping[str, float]) -> dict[str, Any]:
    """Return what a prediction says about its token, whatever the score."""
    return {
        "token": {
            "id": token.id,
            "symbol": token.symbol,
            "name": token.name,
            "chain": token.chain.slug,
        },
        "features": compute_features(token, medians),
    }


def _to_payload(described: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    return {
        **described,
        "score": row["score"],
        "label": row["label"],
        "model": row["model"],
        "source": row["source"],
        "computed_at": to_iso(row["computed_at"]),
        "expires_at": to_iso(row["expires_at"]),
    }


def _read_valid(token_ids: Sequence[int], now: datetime) -> dict[int, dict[str, Any]]:
    """Read the newest prediction of each token where it has not expired."""
    newest = (
        select(func.max(Prediction.id))
        .where(Prediction.token_id.in_(token_ids))
        .group_by(Prediction.token_id)
    )
    found = db.session.scalars(
        select(Prediction).where(Prediction.id.in_(newest), Prediction.expires_at > now)
    )
    return {
        p.token_id: {
            "score": p.score,
            "label": p.label,
            "model": p.model,
            "source": p.source,
            "computed_at": p.computed_at,
            "expires_at": p.expires_at,
        }
        for p in found
    }


def _to_row(score: Score, now: datetime, ttl: timedelta) -> dict[str, Any]:
    return {
        "score": score.value,
        "label": score.label,
        "model": score.model,
        "source": score.source,
        "computed_at": now,
        "expires_at": now + ttl,
    }


def score_tokens(tokens: Sequence[Token]) -> dict[int, dict[str, Any]]:
    """Score tokens with one call of the model and keep the predictions; returns payloads by id."""
    scorer = get_scorer()
    described = {token.id: _describe(token, scorer.local.medians) for token in tokens}
    scores = scorer.score([described[token_id]["features"] for token_id in described])
    now = utc_now()
    ttl = timedelta(seconds=current_app.config["PREDICTION_TTL_S"])
    rows = {
        token_id: _to_row(score, now, ttl)
        for token_id, score in zip(described, scores, strict=True)
    }
    db.session.execute(
        insert(Prediction), [{"token_id": token_id, **row} for token_id, row in rows.items()]
    )
    db.session.commit()
    payloads = {
        token_id: _to_payload(described[token_id], row) for token_id, row in rows.items()
    }
    for token_id, payload in payloads.items():
        _remember(token_id, now + ttl, payload)
    return payloads


def predict(token_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return the prediction of each known token, by id; unknown ids are missing from the result."""
    now = utc_now()
    wanted = list(dict.fromkeys(token_ids))
    remembered = {i: payload for i in wanted if (payload := _recall(i, now)) is not None}
    rest = [i for i in wanted if i not in remembered]
    hits = {i: {**payload, "cached": True} for i, payload in remembered.items()}
    misses: dict[int, dict[str, Any]] = {}
    if rest:
        tokens = list(db.session.scalars(select(Token).where(Token.id.in_(rest)).order_by(Token.id)))
        valid = _read_valid([token.id for token in tokens], now)
        medians = get_scorer().local.medians
        for token in tokens:
            if token.id in valid:
                row = valid[token.id]
                payload = _to_payload(_describe(token, medians), row)
                _remember(token.id, row["expires_at"], payload)
                hits[token.id] = {**payload, "cached": True}
        stale = [token for token in tokens if token.id not in valid]
        if stale:
            misses = {i: {**p, "cached": False} for i, p in score_tokens(stale).items()}
    if hits:
        add_to_counter("cache_hits", len(hits))
    if misses:
        add_to_counter("cache_misses", len(misses))
    return hits | misses
