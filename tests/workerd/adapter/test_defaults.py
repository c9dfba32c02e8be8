"""What an app finds in the Worker that leaves its places to Flask, and imports what any server may."""

from __future__ import annotations

import pytest

from .conftest import APPS, Lift

pytestmark = pytest.mark.workerd


def test_the_instance_folder_lies_in_the_app(lift: Lift) -> None:
    app = lift(APPS / "defaults", "flask")
    assert app.get_json("/places") == {
        "instance": "/app/instance",
        "database": "/app/instance/notes.db",
        "prefix": "/lib/python3.14",
        "debugger": "Pdb",
    }
