"""Which imports of the app decide about a package: those that its running code cannot do without."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.project import AppSection, Project, Settings
from edgelift.targets.packages.origin import find_own_imports

FILES = {
    "app.py": """
import flask
from shop.views import page
try:
    import numpy as np
except ImportError:
    np = None
    import fallback
if TYPE_CHECKING:
    import typing_only
if __name__ == "__main__":
    import uvicorn
else:
    import other
def handler():
    import lazy.part
""",
    "shop/__init__.py": "",
    "shop/views.py": "from shop.deep import *\nimport sqlalchemy.orm",
    "shop/deep.py": "from joblib import load",
    "scripts/train.py": "import sklearn",
    "tests/test_app.py": "import pytest",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    settings = Settings(name="x", app=AppSection(framework="flask", entry="app:app"))
    return Project(tmp_path, settings, tmp_path / "edgelift.toml")


def test_only_imports_that_count(project: Project) -> None:
    found = find_own_imports(project)
    assert found == ["fallback", "flask", "joblib", "lazy", "other", "sqlalchemy"]
