"""Go on by itself after a lost connection or a restarted server, as long as the copy gets further.

Each try opens a new snapshot, in which the chunks that are there already are hashed again; so what
ends up in the file is of one moment, whatever happened before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edgelift.errors import EdgeliftError
from edgelift.sources.patience import Patience
from edgelift.stages.data.server.ledger import count_done

T = TypeVar("T")


def keep_trying(
    work: Callable[[], T],
    part: Path,
    note: Callable[[str], None],
    wait: Callable[[float], None] = time.sleep,
    answered: Callable[[], bool] = lambda: False,
) -> T:
    """Return what `work` returns; run it again after an error that may pass, with growing pauses.

    A first try that did not get as far as a ledger in the unfinished file fails at once, unless
    `answered` says that the server was there: its catalogue is read then. Every chunk more starts
    the pauses anew; behind the last one the error is raised as it is.
    """
    patience = Patience()
    while True:
        try:
            return work()
        except EdgeliftError as error:
            done = count_done(part)
            if done is None and not answered():
                raise
            pause = patience.find_pause(error, done or 0)
            note(
                f"{error.what}: {error.why}; trying again in {pause} s with a new snapshot, "
                f"{done or 0} chunks are there"
            )
        wait(pause)
