"""Tokens, statistics, the live feed, and the few things that change data."""

from __future__ import annotations

import math
import re
from typing import Any

from flask import Blueprint, Response, jsonify, request, stream_with_context, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import undefer

from ..clock import to_iso, utc_now
from ..errors import bad_request, not_found
from ..extensions import db
from ..feed import read_events, read_last_id, stream_events
from ..jobs import refresh
from ..keys import require_key
from ..models import Chain, Prediction, Token
from ..params import MAX_ID, parse_token_id, read_choice, read_int, read_json_object
from ..stats import read_stats

blueprint = Blueprint("api", __name__, url_prefix="/api")

MAX_PER_PAGE = 100
MAX_QUERY_CHARS = 64
MAX_NOTE_CHARS = 500
MAX_STREAM_S = 60
SORTS = {
    "id": Token.id,
    "name": Token.name_folded,
    "symbol": Token.symbol,
    "price": Token.price_usd,
    "volume": Token.volume_24h,
    "score": Token.last_score,
    "launched": Token.launched_on,
}
ORDERS = [*SORTS, *(f"-{name}" for name in SORTS)]


def _finite(value: float | None) -> float | None:
    """JSON has no infinity."""
    return value if value is not None and math.isfinite(value) else None


def _to_summary(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "symbol": token.symbol,
        "name": token.name,
        "chain": token.chain.slug,
        "is_verified": token.is_verified,
        "launched_on": token.launched_on.isoformat() if token.launched_on else None,
        "price_usd": token.price_text,
        "volume_24h": _finite(token.volume_24h),
        "score": token.last_score,
        "label": token.last_label,
        "scored_at": to_iso(token.last_scored_at),
    }


def _to_detail(token: Token) -> dict[str, Any]:
    return _to_summary(token) | {
        "address": token.address,
        # Supplies exceed what a JavaScript number can hold.
        "total_supply": str(token.total_supply),
        "holders": token.holders,
        "tx_count_24h": token.tx_count_24h,
        "liquidity_usd": _finite(token.liquidity_usd),
        "volatility": _finite(token.volatility),
        "price_change_24h": _finite(token.price_change_24h),
        "top10_share": _finite(token.top10_share),
        "market": token.market,
        "note": token.note,
        "prediction_count": token.prediction_count,
        "created_at": to_iso(token.created_at),
        "updated_at": to_iso(token.updated_at),
        "links": {
            "self": url_for("api.read_token", token_id=token.id),
            "history": url_for("api.read_history", token_id=token.id),
            "predict": url_for("predict.predict_one", token_id=token.id),
            "logo": url_for("api.read_logo", token_id=token.id),
        },
    }


def _get_token(raw_id: str) -> Token:
    token_id = parse_token_id(raw_id)
    token = db.session.get(Token, token_id)
    if token is None:
        raise not_found(f"There is no token {token_id}.")
    return token


def _read_filters() -> dict[str, str]:
    """Return the filters of the list as they stand in the query string."""
    found = {name: request.args[name] for name in ("q", "chain", "label") if name in request.args}
    if len(found.get("q", "")) > MAX_QUERY_CHARS:
        raise bad_request("invalid_q", f"q may have up to {MAX_QUERY_CHARS} characters.")
    return found


@blueprint.get("/tokens")
def list_tokens() -> Response:
    page = read_int("page", 1, 1, 1_000_000)
    per_page = read_int("per_page", 25, 1, MAX_PER_PAGE)
    sort = read_choice("sort", "id", ORDERS)
    filters = _read_filters()

    query = select(Token)
    if filters.get("q"):
        query = query.where(func.instr(Token.name_folded, filters["q"].casefold()) > 0)
    if "chain" in filters:
        query = query.where(Token.chain.has(Chain.slug == filters["chain"]))
    if "label" in filters:
        query = query.where(Token.last_label == filters["label"])
    column = SORTS[sort.removeprefix("-")]
    query = query.order_by(column.desc() if sort.startswith("-") else column.asc(), Token.id)

    found = db.paginate(query, page=page, per_page=per_page, max_per_page=None, error_out=False)
    last_page = max(found.pages, 1)

    def link(number: int | None) -> str | None:
        if number is None:
            return None
        return url_for(
            "api.list_tokens", page=number, per_page=per_page, sort=sort, **filters
        )

    return jsonify(
        {
            "items": [_to_summary(token) for token in found.items],
            "page": page,
            "per_page": per_page,
            "pages": found.pages,
            "total": found.total,
            "sort": sort,
            "links": {
                "self": link(page),
                "first": link(1),
                "prev": link(min(page - 1, last_page)) if page > 1 else None,
                "next": link(page + 1) if page < last_page else None,
                "last": link(last_page),
            },
        }
    )


@blueprint.get("/tokens/<token_id>")
def read_token(token_id: str) -> Response:
    return jsonify(_to_detail(_get_token(token_id)))


@blueprint.patch("/tokens/<token_id>")
@require_key()
def update_token(token_id: str) -> Response:
    token = _get_token(token_id)
    body = read_json_object()
    unknown = sorted(set(body) - {"is_verified", "note"})
    if unknown or not body:
        raise bad_request("invalid_body", "Only is_verified and note can be changed.")
    if "is_verified" in body:
        if not isinstance(body["is_verified"], bool):
            raise bad_request("invalid_is_verified", "is_verified must be true or false.")
        token.is_verified = body["is_verified"]
    if "note" in body:
        note = body["note"]
        if note is not None and (not isinstance(note, str) or len(note) > MAX_NOTE_CHARS):
            raise bad_request("invalid_note", f"note must be null or text up to {MAX_NOTE_CHARS}.")
        token.note = note
    token.updated_at = utc_now()
    answer = _to_detail(token)
    db.session.commit()
    return jsonify(answer)


@blueprint.get("/tokens/<token_id>/logo")
def read_logo(token_id: str) -> Response:
    parsed = parse_token_id(token_id)
    token = db.session.get(Token, parsed, options=[undefer(Token.logo)])
    if token is None or token.logo is None:
        raise not_found(f"There is no logo of token {parsed}.")
    response = Response(token.logo, mimetype="image/png")
    response.cache_control.public = True
    response.cache_control.max_age = 3600
    response.add_etag()
    return response.make_conditional(request)


def _to_trend(scores: list[float]) -> dict[str, Any]:
    """Fit a line through scores in order of time; the slope is per prediction."""
    count = len(scores)
    if count < 2:
        return {"slope": None, "direction": "flat"}
    mean_x, mean_y = (count - 1) / 2, math.fsum(scores) / count
    spread = math.fsum((x - mean_x) ** 2 for x in range(count))
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in enumerate(scores)) / spread
    slope = round(slope, 6)
    direction = "rising" if slope > 0.001 else "falling" if slope < -0.001 else "flat"
    return {"slope": slope, "direction": direction}


@blueprint.get("/tokens/<token_id>/history")
def read_history(token_id: str) -> Response:
    token = _get_token(token_id)
    limit = read_int("limit", 50, 1, 500)
    rows = db.session.execute(
        select(Prediction.computed_at, Prediction.score, Prediction.label, Prediction.source)
        .where(Prediction.token_id == token.id)
        .order_by(Prediction.id.desc())
        .limit(limit)
    ).all()[::-1]
    scores = [row.score for row in rows]
    return jsonify(
        {
            "token_id": token.id,
            "total": token.prediction_count,
            "count": len(rows),
            "summary": {
                "min": min(scores, default=None),
                "max": max(scores, default=None),
                "mean": round(math.fsum(scores) / len(scores), 6) if scores else None,
                "trend": _to_trend(scores),
            },
            "points": [
                {
                    "computed_at": to_iso(row.computed_at),
                    "score": row.score,
                    "label": row.label,
                    "source": row.source,
                }
                for row in rows
            ],
        }
    )


@blueprint.get("/stats")
def stats() -> Response:
    return jsonify(read_stats())


def _read_after() -> int | None:
    """Return the event a client saw last: from the query, or as EventSource says it again."""
    if "after" in request.args:
        return read_int("after", 0, 0, MAX_ID)
    raw = request.headers.get("Last-Event-ID", "")
    return int(raw) if re.fullmatch(r"[0-9]{1,18}", raw) else None


@blueprint.get("/events")
def events() -> Response:
    after = _read_after()
    limit = read_int("limit", 50, 1, 500)
    wanted = request.accept_mimetypes.best_match(
        ["application/json", "text/event-stream"], default="application/json"
    )
    if wanted == "application/json":
        found = read_events(after, limit)
        last = found[-1]["id"] if found else (after or 0)
        return jsonify({"events": found, "count": len(found), "last_id": last})
    duration_s = read_int("duration", 10, 0, MAX_STREAM_S)
    start = read_last_id() if after is None else after
    response = Response(
        stream_with_context(stream_events(start, limit, duration_s)),
        mimetype="text/event-stream",
    )
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    return response


@blueprint.post("/refresh")
@require_key(admin=True)
def refresh_now() -> Response:
    body = read_json_object() if request.content_length else {}
    limit = body.get("limit", 50)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= 500:
        raise bad_request("invalid_limit", "limit must be a whole number from 1 to 500.")
    return jsonify(refresh(limit))


@blueprint.get("/debug/error")
@require_key(admin=True)
def debug_error() -> Response:
    """Fail on purpose, to see that alerting works."""
    raise RuntimeError("this is a drill")
