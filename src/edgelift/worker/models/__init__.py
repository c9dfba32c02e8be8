"""Estimators of scikit-learn in pure Python, for prediction inside the Worker.

`sources/estimators.py` exports an origin's model files into pickles of these classes with the
origin's own Python and proves that they give the same results. `install()` makes `import joblib`
and the usual imports from scikit-learn work in the Worker, so that the app loads them unedited.
"""

from __future__ import annotations

from edgelift.worker.models.array import Array
from edgelift.worker.models.shims import install

__all__ = ["Array", "install"]
