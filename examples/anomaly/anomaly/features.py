"""What the model sees of a token: eight numbers, in this order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

FEATURES = (
    "log_volume",
    "log_liquidity",
    "volatility",
    "price_change",
    "log_holders",
    "log_tx_count",
    "top10_share",
    "turnover",
)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _log(value: float | None) -> float | None:
    number = _finite(value)
    return None if number is None or number < 0 else math.log10(1.0 + number)


def _clip(value: float | None, low: float, high: float) -> float | None:
    number = _finite(value)
    return None if number is None else min(max(number, low), high)


def compute_features(token: Any, medians: Mapping[str, float]) -> dict[str, float]:
    """Turn a token's market data into features; missing or absurd values become the median."""
    volume, liquidity = _log(token.volume_24h), _log(token.liquidity_usd)
    raw = {
        "log_volume": volume,
        "log_liquidity": liquidity,
        "volatility": _clip(token.volatility, 0.0, 10.0),
        "price_change": _clip(token.price_change_24h, -1.0, 50.0),
        "log_holders": _log(token.holders),
        "log_tx_count": _log(token.tx_count_24h),
        "top10_share": _clip(token.top10_share, 0.0, 1.0),
        "turnover": None if volume is None or liquidity is None else volume - liquidity,
    }
    return {
        name: round(medians[name] if raw[name] is None else raw[name], 6) for name in FEATURES
    }


def to_row(features: Mapping[str, float]) -> list[float]:
    return [features[name] for name in FEATURES]


def to_rows(many: Sequence[Mapping[str, float]]) -> list[list[float]]:
    return [to_row(features) for features in many]
