"""How long a lost server is waited for: pauses that grow, and begin anew with every step ahead."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgelift.errors import EdgeliftError, Transient

PAUSES_S = (1, 2, 4, 8, 15, 30, 30, 30)  # two minutes, in which a server restarts


@dataclass
class Patience:
    """The pauses of one piece of work: `most` is how far it got, `spent` the pauses since."""

    most: int = field(default=0, init=False)
    spent: int = field(default=0, init=False)

    def find_pause(self, error: EdgeliftError, done: int) -> int:
        """Return the seconds to wait before another try; raises the error when none is worth it.

        `done` says how far the work is: more than ever before and the pauses begin anew.
        """
        if not isinstance(error, Transient) or not error.at_once:
            raise error
        if done > self.most:
            self.most, self.spent = done, 0
        if self.spent == len(PAUSES_S):
            raise error
        self.spent += 1
        return PAUSES_S[self.spent - 1]
