"""The page of conversions says what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_page_of_ops_is_current() -> None:
    spec = importlib.util.spec_from_file_location("update_ops", ROOT / "tools/update_ops.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.build_page() == module.PAGE.read_text(), "run: python tools/update_ops.py"
