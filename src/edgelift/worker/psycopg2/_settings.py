"""The settings of a psycopg2 connection: autocommit, isolation, read only, deferrable."""

from __future__ import annotations

from typing import Any

from ._errors import ProgrammingError
from ._talking import Steps
from ._two_phase import TwoPhase

_LEVEL_CODES = {1: "READ COMMITTED", 2: "REPEATABLE READ", 3: "SERIALIZABLE", 4: "READ UNCOMMITTED"}


class Settings(TwoPhase):
    """The part of a connection that says with what its transactions begin."""

    _level: int | None
    _readonly: bool | None
    _deferrable: bool | None

    def _begin_statement(self) -> str:
        parts = ["BEGIN"]
        if self._level is not None:
            parts.append(f"ISOLATION LEVEL {_LEVEL_CODES[self._level]}")
        if self._readonly is not None:
            parts.append("READ ONLY" if self._readonly else "READ WRITE")
        if self._deferrable is not None:
            parts.append("DEFERRABLE" if self._deferrable else "NOT DEFERRABLE")
        return " ".join(parts)

    @property
    def autocommit(self) -> bool:
        """Whether every statement is a transaction of its own."""
        return self._autocommit

    @autocommit.setter
    def autocommit(self, value: Any) -> None:
        self._check_settable("set_session")
        self._set_session(autocommit=bool(value))

    @property
    def isolation_level(self) -> int | None:
        """One of extensions.ISOLATION_LEVEL_*, None for the server's default."""
        return self._level

    @isolation_level.setter
    def isolation_level(self, value: Any) -> None:
        self._check_settable("set_isolation_level")
        self._set_session(level=_read_level(value))

    @property
    def readonly(self) -> bool | None:
        """Whether transactions are read only, None for the server's default."""
        return self._readonly

    @readonly.setter
    def readonly(self, value: Any) -> None:
        self._check_settable("set_session")
        self._set_session(readonly=_read_flag(value))

    @property
    def deferrable(self) -> bool | None:
        """Whether transactions are deferrable, None for the server's default."""
        return self._deferrable

    @deferrable.setter
    def deferrable(self, value: Any) -> None:
        self._check_settable("set_session")
        self._set_session(deferrable=_read_flag(value))

    def _check_settable(self, name: str) -> None:
        self._check_open()
        self._refuse_async(name)
        self._refuse_in_tpc(name)
        if self._session.transaction != b"I":
            raise ProgrammingError(f"{name} cannot be used inside a transaction")

    def set_session(
        self,
        isolation_level: Any = None,
        readonly: Any = None,
        deferrable: Any = None,
        autocommit: Any = None,
    ) -> None:
        """Set what following transactions begin with; None leaves a setting as it is."""
        self._check_settable("set_session")
        changes: dict[str, Any] = {}
        if isolation_level is not None:
            changes["level"] = _read_level(isolation_level)
        if readonly is not None:
            changes["readonly"] = _read_flag(readonly)
        if deferrable is not None:
            changes["deferrable"] = _read_flag(deferrable)
        if autocommit is not None:
            changes["autocommit"] = bool(autocommit)
        self._set_session(**changes)

    def _set_session(self, **changes: Any) -> None:
        was_autocommit = self._autocommit
        now_autocommit = changes.get("autocommit", was_autocommit)
        for name, value in changes.items():
            setattr(self, f"_{name}", value)
        if now_autocommit:
            names = ("level", "readonly", "deferrable") if not was_autocommit else tuple(changes)
            kept = [
                name for name in names if name in changes or getattr(self, f"_{name}") is not None
            ]
            self._drive(self._set_defaults(kept))
        elif was_autocommit:
            kept = [
                n for n in ("level", "readonly", "deferrable") if getattr(self, f"_{n}") is not None
            ]
            self._drive(self._set_defaults(kept, reset=True))

    def _set_defaults(self, names: list[str], *, reset: bool = False) -> Steps:
        """Put settings into the session, which is what counts in autocommit."""
        titles = {"level": "isolation", "readonly": "read_only", "deferrable": "deferrable"}
        for name in names:
            if name not in titles:
                continue
            value = None if reset else getattr(self, f"_{name}")
            text = "DEFAULT"
            if value is not None:
                text = (
                    f"'{_LEVEL_CODES[value].lower()}'"
                    if name == "level"
                    else f"'{'on' if value else 'off'}'"
                )
            yield from self._command(f"SET default_transaction_{titles[name]} TO {text}")

    def set_isolation_level(self, level: Any) -> None:
        """Set the isolation level, 0 for autocommit; an open transaction is rolled back."""
        if level is not None and not isinstance(level, int):
            raise TypeError("an integer is required")
        if level is not None and not 0 <= level <= 4:
            raise ValueError("isolation level must be between 0 and 4")
        self._check_open()
        self._refuse_async("set_isolation_level")
        self._refuse_in_tpc("set_isolation_level")
        self._drive(self._end("ROLLBACK"))
        if level == 0:
            self._set_session(autocommit=True)
        else:
            self._set_session(autocommit=False, level=level)


def _read_level(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, str):
        if value.upper() == "DEFAULT":
            return None
        for level, name in _LEVEL_CODES.items():
            if value.upper() == name:
                return level
        raise ValueError(f"bad value for isolation_level: '{value}'")
    if not isinstance(value, int):
        raise TypeError("an integer is required")
    if not 1 <= value <= 4:
        raise ValueError("isolation_level must be between 1 and 4")
    return value


def _read_flag(value: Any) -> bool | None:
    if value is None or (isinstance(value, str) and value.upper() == "DEFAULT"):
        return None
    return bool(value)
