"""Copy a database in a process of its own, which a test kills: URL, file, rows per second."""

from __future__ import annotations

import sys
from pathlib import Path

from edgelift.stages.data.server.throttle import Throttle
from tests.contract.mover.moving import Moving, judge

if __name__ == "__main__":
    url, part, rate = sys.argv[1:]
    moving = Moving(url, Path(part), judge(url), chunk_rows=200, throttle=Throttle(float(rate)))
    copy = moving.copy()
    print(copy.copied, copy.kept, copy.repeated)
