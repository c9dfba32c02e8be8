"""Where following a database stands: the document `follow:<db>`, for status and later runs."""

from __future__ import annotations

import msgspec


class FollowOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to follow: `until_caught_up` ends with what was written before, else Ctrl-C ends it.

    `verify` compares every row on both sides in the end; `install_triggers` is the consent to add
    triggers to a SQLite origin; `requests` applies by batches of statements within D1's limits, as
    a remote target takes them; `upload` is the address of the deployed sql project by whose door
    they go into its databases, which are loaded first, with `replace` whatever they hold. `preview`
    tells how all stands and changes nothing. `drop` ends following and removes what it left at the
    origin, and at the databases of `upload`.
    """

    until_caught_up: bool = False
    verify: bool = False
    install_triggers: bool = False
    requests: bool = False
    upload: str = ""
    replace: bool = False
    preview: bool = False
    drop: bool = False


class FollowState(msgspec.Struct, frozen=True, kw_only=True):
    """One followed database: `state` is copying, following, caught up, stopped or failed.

    `handle` is what lies at the origin (slot and publication, or the log of triggers), `start` the
    position of the snapshot, `position` the one up to which all is applied. `lag` (in `lag_unit`)
    and `lag_s` are how far that was behind at `updated` (Unix seconds), `retained_bytes` the log
    that the origin keeps for it; `verified` says what the last comparison of all rows found.
    """

    database: str
    product: str
    handle: str
    state: str = "copying"
    start: str = ""
    position: str = ""
    transactions: int = 0
    rows: int = 0
    lag: int = 0
    lag_unit: str = "bytes"
    lag_s: float = 0.0
    retained_bytes: int = 0
    updated: float = 0.0
    verified: str = ""
    error: str = ""

    def describe(self) -> str:
        """Return one line for people."""
        parts = [f"{self.transactions} transactions, {self.rows} rows applied"]
        if self.state != "copying":
            parts.append(f"{self.lag} {self.lag_unit} and {self.lag_s:.1f} s behind")
        if self.retained_bytes:
            parts.append(f"the origin keeps {self.retained_bytes} bytes of log")
        parts += [part for part in (self.verified, self.error) if part]
        return f"{self.database}: {self.state}; {', '.join(parts)}"
