"""Import the origin app once and write what it is as JSON, for init and assess.

Runs under the origin's Python, in a scratch copy. Usage: probe_app.py OUTPUT COPY ORIGIN ENTRY
"""

from __future__ import annotations

import importlib
import sys


def main(arguments: list[str]) -> None:
    """Load the probe, take its folder from the path so that it shadows nothing, and run it."""
    probe = importlib.import_module("edgelift_probe.importing")
    del sys.path[0]
    output, copy, origin, entry = arguments
    probe.run(output, copy, origin, entry)


if __name__ == "__main__":
    main(sys.argv[1:])
