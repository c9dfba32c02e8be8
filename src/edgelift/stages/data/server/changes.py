"""Look whether rows may have changed at a server since they were copied, without reading any."""

from __future__ import annotations

from collections.abc import Callable

from edgelift.errors import OriginError
from edgelift.model.activity import Activity
from edgelift.run import Run
from edgelift.sources.origin_database import open_origin


def read_mark(url: str) -> Activity:
    """Return what the server counts now; raises OriginError as connecting does."""
    with open_origin(url) as adapter:
        return adapter.read_activity()


def write_mark(run: Run, name: str, mark: Activity) -> None:
    """Keep what was counted before a copy began."""
    run.journal.write_document(f"activity:{name}", mark)


def tell_changes(
    run: Run, name: str, url: str, read: Callable[[str], Activity] = read_mark
) -> tuple[bool, str]:
    """Return whether a copy is worth repeating, and what is known of the origin in words.

    A server that does not answer or keeps no counts is no reason to copy again; that it was not
    looked at is said.
    """
    before = run.journal.read_document(f"activity:{name}", Activity)
    try:
        now = read(url)
    except OriginError as error:
        return False, f"{name} was not looked at for new rows: {error.what}"
    if before is None or not before.counts or not now.counts:
        return False, f"{name} was not looked at for new rows: its server keeps no counts"
    if before.is_same(now):
        return False, (
            f"the server counts no write to {name} since the copy, which proves nothing: --force "
            "copies and compares anew"
        )
    return True, f"rows of {name} may have changed since the copy"
