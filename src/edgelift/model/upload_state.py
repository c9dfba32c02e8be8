"""What loading rows into deployed databases did, or would do: part of an Outcome."""

from __future__ import annotations

import msgspec


class UploadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where rows are loaded: `url` of the deployed sql project; `replace` what it holds.

    With `preview` nothing is sent but the question how it stands.
    """

    url: str
    replace: bool = False
    preview: bool = False


class UploadState(msgspec.Struct, frozen=True, kw_only=True):
    """One database: its name in the project, what of it was sent now, and its state afterwards.

    `state` is `open` once all was compared, `loading` before; `requests` were sent now, `resumed`
    had been taken by an earlier run.
    """

    database: str
    object: str
    state: str
    tables: int = 0
    rows: int = 0
    requests: int = 0
    resumed: int = 0
    bytes: int = 0
    duration_s: float = 0.0

    def describe(self) -> str:
        """Return it in a sentence."""
        if self.state == "preview":
            return f"{self.database}: {self.rows} rows of {self.tables} tables would be loaded"
        again = f", {self.resumed} were there from before" if self.resumed else ""
        if self.state == "open" and not self.requests and not self.resumed:
            return f"{self.database}: {self.object} was loaded before and is open to the app"
        return (
            f"{self.database}: {self.rows} rows of {self.tables} tables loaded into {self.object} "
            f"by {self.requests} requests{again}, each table equal there by hash; it is open"
        )
