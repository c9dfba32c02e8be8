"""The live feed: events newer than the one a client saw last, as JSON or server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, select

from .clock import to_iso
from .extensions import db
from .models import Event

POLL_EVERY_S = 1.0
RETRY_MS = 3000


def read_last_id() -> int:
    return db.session.scalar(select(func.max(Event.id))) or 0


def read_events(after: int | None, limit: int) -> list[dict[str, Any]]:
    """Read events in order of id: those after `after`, or the newest when it is None."""
    query = select(Event).limit(limit)
    if after is None:
        found = list(db.session.scalars(query.order_by(Event.id.desc())))[::-1]
    else:
        found = list(db.session.scalars(query.where(Event.id > after).order_by(Event.id)))
    return [
        {
            "id": event.id,
            "kind": event.kind,
            "token_id": event.token_id,
            "created_at": to_iso(event.created_at),
            "data": event.payload,
        }
        for event in found
    ]


def _to_message(event: dict[str, Any]) -> str:
    data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return f"id: {event['id']}\nevent: {event['kind']}\ndata: {data}\n\n"


def stream_events(after: int, limit: int, duration_s: float) -> Iterator[str]:
    """Yield server-sent events for `duration_s` seconds, asking the database once a second."""
    deadline = time.monotonic() + duration_s
    yield f"retry: {RETRY_MS}\n\n"
    while True:
        events = read_events(after, limit)
        # Give the connection back while waiting; the next look must see new rows.
        db.session.remove()
        for event in events:
            after = event["id"]
            yield _to_message(event)
        if not events:
            yield ": nothing new\n\n"
        left = deadline - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(POLL_EVERY_S, left))
    yield f"event: end\ndata: {after}\n\n"
