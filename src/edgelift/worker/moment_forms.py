"""Moments as SQLite writes them for a moved database: now, and cut to a unit by strftime."""

from __future__ import annotations

NOW = "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"
# By date_trunc's units.
TRUNCATED = {
    "second": "%Y-%m-%d %H:%M:%S.000000", "minute": "%Y-%m-%d %H:%M:00.000000",
    "hour": "%Y-%m-%d %H:00:00.000000", "day": "%Y-%m-%d 00:00:00.000000",
    "month": "%Y-%m-01 00:00:00.000000", "year": "%Y-01-01 00:00:00.000000",
}  # fmt: skip
