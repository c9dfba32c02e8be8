"""A pytest plugin for SQLAlchemy's own tests: puts the Worker's PostgreSQL modules in place."""

import os
import sys

if os.environ.get("SUITE_SOURCE"):
    sys.path.insert(0, os.environ["SUITE_SOURCE"])
    from edgelift.worker.postgres import install

    install()
