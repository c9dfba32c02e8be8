"""What a server counts of the writing in its tables: the cheap sign that rows may have changed."""

from __future__ import annotations

import msgspec

_TOLERANCE_S = 2  # a start reckoned from an uptime in whole seconds varies by that


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """`counts` changes whenever rows may have changed; empty when the server keeps no counts.

    `started` is the second at which the server began to count, 0 when it keeps counts for good.
    """

    counts: str
    started: int = 0

    def is_same(self, other: Activity) -> bool:
        """Return whether nothing was counted between the two; never a proof of equal rows."""
        return (
            bool(self.counts)
            and self.counts == other.counts
            and abs(self.started - other.started) <= _TOLERANCE_S
        )
