"""SQL that an app gives to its server's driver: what the Worker's servers of moved databases run.

The rules are those of the Worker itself (worker/moved), so that nothing is found at run time that
could have been found before the cut.
"""

from __future__ import annotations

import functools

import msgspec

from edgelift.model.vocabulary import Vocabulary
from edgelift.worker.moved import checking
from edgelift.worker.moved.catalogue import read_catalogue
from edgelift.worker.moved.translation import Translations

ENGINES = frozenset({"postgresql", "mysql"})


@functools.lru_cache(maxsize=4096)
def find_unknown(text: str, engine: str) -> str:
    """Return what of a statement cannot be kept whatever its tables are, empty for nothing.

    A statement that is put together at run time is judged then.
    """
    return "" if checking.is_composed(text) else checking.find_unknown(text, engine)


def build_translations(vocabulary: Vocabulary, engine: str) -> Translations:
    """Return what translates a moved database's SQL, as in the Worker."""
    return Translations(read_catalogue(msgspec.to_builtins(vocabulary), engine), engine)


def find_problem(text: str, translations: Translations) -> str:
    """Return why a statement has no form over the tables that moved, empty for none."""
    return "" if checking.is_composed(text) else checking.find_problem(text, translations)
