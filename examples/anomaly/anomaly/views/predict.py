"""Predictions for one token and for many."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from ..errors import ApiError, bad_request, not_found
from ..keys import require_key
from ..params import MAX_ID, parse_token_id, read_json_object
from ..predictions import predict

blueprint = Blueprint("predict", __name__, url_prefix="/predict")

MAX_BATCH = 100


@blueprint.get("/<token_id>")
def predict_one(token_id: str) -> Response:
    parsed = parse_token_id(token_id)
    found = predict([parsed])
    if parsed not in found:
        raise not_found(f"There is no token {parsed}.")
    return jsonify(found[parsed])


def _is_token_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_ID


def _to_item(value: Any, found: dict[int, dict[str, Any]]) -> dict[str, Any]:
    if not _is_token_id(value):
        error: ApiError = bad_request(
            "invalid_token_id", "A token id is a positive whole number."
        )
    elif value not in found:
        error = not_found(f"There is no token {value}.")
    else:
        return {"token_id": value, "ok": True, "prediction": found[value]}
    return {"token_id": value, "ok": False, "error": error.body()}


@blueprint.post("/batch")
@require_key()
def predict_batch() -> Response:
    values = read_json_object().get("token_ids")
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_BATCH:
        raise bad_request(
            "invalid_token_ids", f"token_ids must be a list of 1 to {MAX_BATCH} token ids."
        )
    found = predict(value for value in values if _is_token_id(value))
    items = [_to_item(value, found) for value in values]
    succeeded = sum(item["ok"] for item in items)
    return jsonify(
        {
            "count": len(items),
            "succeeded": succeeded,
            "failed": len(items) - succeeded,
            "items": items,
        }
    )
