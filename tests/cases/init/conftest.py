"""One virtual environment with the frameworks that the case projects use, kept between runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shared_venv import make_venv

PACKAGES = ("flask", "flask-sqlalchemy", "apscheduler", "fastapi", "django")


@pytest.fixture(scope="session")
def frameworks() -> Path:
    """Return the folder of a virtual environment that has every framework of the cases."""
    return make_venv("frameworks-venv", PACKAGES)
