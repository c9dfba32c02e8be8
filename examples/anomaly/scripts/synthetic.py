"""Synthetic tokens: the distributions that the training data and the seed share."""

from __future__ import annotations

import math
import random

ODD_SHARE = 0.06


def draw_metrics(rng: random.Random) -> dict[str, float | int]:
    """Draw one token's market data; a small share of tokens is odd in one of four ways."""
    size = rng.gauss(0.0, 1.0)
    volume = 10 ** (5.2 + 1.1 * size + rng.gauss(0.0, 0.3))
    liquidity = 10 ** (5.5 + 0.9 * size + rng.gauss(0.0, 0.3))
    metrics: dict[str, float | int] = {
        "volume_24h": round(volume, 2),
        "liquidity_usd": round(liquidity, 2),
        "volatility": round(min(abs(rng.gauss(0.12, 0.08)), 2.0), 5),
        "price_change_24h": round(max(rng.gauss(0.01, 0.09), -0.95), 5),
        "holders": int(10 ** (3.1 + 0.6 * size + rng.gauss(0.0, 0.25))),
        "tx_count_24h": int(10 ** (2.6 + 0.8 * size + rng.gauss(0.0, 0.3))),
        "top10_share": round(min(max(rng.betavariate(2.2, 4.5), 0.01), 0.99), 5),
    }
    if rng.random() < ODD_SHARE:
        _make_odd(rng, metrics)
    return metrics


def _make_odd(rng: random.Random, metrics: dict[str, float | int]) -> None:
    kind = rng.choice(("pump", "rug", "wash", "concentrated"))
    if kind == "pump":
        metrics["price_change_24h"] = round(rng.uniform(2.0, 30.0), 5)
        metrics["volatility"] = round(rng.uniform(1.0, 6.0), 5)
    elif kind == "rug":
        metrics["price_change_24h"] = round(rng.uniform(-0.999, -0.8), 5)
        metrics["liquidity_usd"] = round(rng.uniform(0.0, 50.0), 2)
    elif kind == "wash":
        metrics["volume_24h"] = round(float(metrics["volume_24h"]) * 10 ** rng.uniform(2, 4), 2)
        metrics["holders"] = rng.randint(2, 20)
    else:
        metrics["top10_share"] = round(rng.uniform(0.93, 1.0), 5)
        metrics["tx_count_24h"] = int(math.sqrt(float(metrics["tx_count_24h"])))
