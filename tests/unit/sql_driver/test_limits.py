"""The limits that a connection tells, and that an application lowers for itself."""

from __future__ import annotations

import pytest

from edgelift.worker.sqlite3.errors import ProgrammingError
from edgelift.worker.sqlite3.features import Features

VARIABLES, LENGTH = 9, 0


class Opened(Features):
    def check_open(self) -> None:
        """It is open."""


@pytest.mark.parametrize(
    ("wished", "told"), [(42, 42), (0, 0), (10**9, 32_766), (-1, 32_766), (32_766, 32_766)]
)
def test_a_limit_is_lowered_and_never_raised(wished: int, told: int) -> None:
    connection = Opened()
    assert connection.setlimit(VARIABLES, wished) == 32_766
    assert connection.getlimit(VARIABLES) == told
    assert connection.setlimit(VARIABLES, -1) == told


def test_each_connection_has_its_own_limits() -> None:
    lowered, other = Opened(), Opened()
    lowered.setlimit(VARIABLES, 5)
    assert (other.getlimit(VARIABLES), lowered.getlimit(LENGTH)) == (32_766, 2_000_000)


@pytest.mark.parametrize("category", [-1, 12, 99])
def test_an_unknown_limit_is_an_error(category: int) -> None:
    with pytest.raises(ProgrammingError, match="'category' is out of bounds"):
        Opened().getlimit(category)
    with pytest.raises(ProgrammingError, match="'category' is out of bounds"):
        Opened().setlimit(category, 5)
