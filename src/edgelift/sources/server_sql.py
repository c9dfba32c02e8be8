"""SQL of PostgreSQL or MySQL in an app, judged before the cut by the rules that the Worker has.

The rules are those of worker/moved alone: nothing is found at run time that could have been found
before. Two depths: plan looks at the words, as no table is known yet; build has the tables.
"""

from __future__ import annotations

import functools
import re

import msgspec

from edgelift.model.vocabulary import Vocabulary
from edgelift.worker.moved import checking
from edgelift.worker.moved.catalogue import read_catalogue
from edgelift.worker.moved.translation import Translations

ENGINES = frozenset({"postgresql", "mysql"})
_BEGINS = re.compile(
    r"^\s*(?:--[^\n]*\n\s*)*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|VALUES)\b", re.IGNORECASE
)
_GOES_ON = re.compile(r"\b(from|into|set|values|as|select)\b", re.IGNORECASE)
# Where text() of SQLAlchemy has a parameter: `:name`, but no `::` and no `\:`.
_NAMED_PLACE = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


def is_query(text: str) -> bool:
    """Return whether a literal of the app's source is a statement on rows, and not prose."""
    found = _BEGINS.match(text)
    return bool(found and _GOES_ON.search(text, found.end())) and (
        found[1].isupper() or found[1].islower() if found else False
    )


def write_places(text: str) -> str:
    """Return a text of SQLAlchemy's text() as its driver is given it: `%(name)s` for `:name`."""
    if not _NAMED_PLACE.search(text):
        return text
    return _NAMED_PLACE.sub(r"%(\1)s", text.replace("%", "%%")).replace("\\:", ":")


@functools.lru_cache(maxsize=4096)
def find_unknown(text: str, engine: str) -> str:
    """Return what of a statement cannot be kept whatever its tables are, empty for nothing.

    One that is put together at run time is judged as the origin's tests send it.
    """
    return "" if checking.is_composed(text) else checking.find_unknown(text, engine)


def find_unknown_function(name: str, arguments: int, engine: str) -> str:
    """Return what of a call cannot be kept, empty for nothing."""
    places = ", ".join(["%s"] * arguments)
    return checking.find_unknown(f"SELECT {name}({places})", engine)


def build_translations(vocabulary: Vocabulary, engine: str) -> Translations:
    """Return what translates a moved database's SQL, as in the Worker."""
    return Translations(read_catalogue(msgspec.to_builtins(vocabulary), engine), engine)


def find_problem(text: str, translations: Translations) -> str:
    """Return why a statement has no form over the tables that moved, empty for none."""
    return "" if checking.is_composed(text) else checking.find_problem(text, translations)
