"""API keys and their rate limit; both live in the database, so all processes agree."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from flask import Response, after_this_request, g, request
from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from .errors import ApiError
from .extensions import db
from .models import ApiKey, RateWindow

WINDOW_S = 60


def hash_key(key: str) -> bytes:
    """Keys are long and random, so a plain SHA-256 is enough; only the hash is stored."""
    return hashlib.sha256(key.encode()).digest()


def _read_presented_key() -> str | None:
    key = request.headers.get("X-API-Key")
    if key:
        return key
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None


def _authenticate() -> ApiKey:
    presented = _read_presented_key()
    if presented is None:
        raise _unauthorized("api_key_missing", "Send an API key in the X-API-Key header.")
    key = db.session.scalar(select(ApiKey).where(ApiKey.key_hash == hash_key(presented)))
    if key is None or not key.is_active:
        raise _unauthorized("api_key_invalid", "This API key is unknown or switched off.")
    return key


def _unauthorized(code: str, message: str) -> ApiError:
    headers = {"WWW-Authenticate": 'Bearer realm="anomaly"'}
    return ApiError(HTTPStatus.UNAUTHORIZED, code, message, headers)


def count_hit(key_id: int, minute: int) -> int:
    """Count one use of a key and return how many there were in this minute: one atomic statement."""
    statement = insert(RateWindow).values(key_id=key_id, minute=minute, hits=1)
    hits = db.session.scalar(
        statement.on_conflict_do_update(
            index_elements=[RateWindow.key_id, RateWindow.minute],
            set_={"hits": RateWindow.hits + 1},
        ).returning(RateWindow.hits)
    )
    db.session.commit()
    return hits


def forget_old_windows() -> None:
    db.session.execute(delete(RateWindow).where(RateWindow.minute < int(time.time()) // WINDOW_S))
    db.session.commit()


def _apply_rate_limit(key_id: int, limit: int) -> None:
    now = int(time.time())
    minute, elapsed = divmod(now, WINDOW_S)
    hits = count_hit(key_id, minute)
    reset_s = WINDOW_S - elapsed
    headers = {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(max(limit - hits, 0)),
        "X-RateLimit-Reset": str(reset_s),
    }

    @after_this_request
    def add_headers(response: Response) -> Response:
        response.headers.update(headers)
        return response

    if hits > limit:
        raise ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "rate_limited",
            f"This key may be used {limit} times a minute.",
            {"Retry-After": str(reset_s)},
        )


def require_key(*, admin: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a view be used only with a valid API key that is within its rate limit."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            key = _authenticate()
            g.api_key_name = key.name
            is_admin = key.is_admin
            _apply_rate_limit(key.id, key.rate_limit)
            if admin and not is_admin:
                raise ApiError(
                    HTTPStatus.FORBIDDEN, "forbidden", "This needs a key with admin rights."
                )
            return view(*args, **kwargs)

        return guarded

    return decorate
