"""Large objects of psycopg2 through the server's functions lo_open, loread and their like."""

from __future__ import annotations

import re
from typing import Any

from ._cursor import cursor
from ._errors import DatabaseError, InterfaceError, OperationalError, ProgrammingError
from ._scope import find_scope

_WRITE, _READ = 0x20000, 0x40000
_CHUNK = 1 << 18


class lobject:
    """An open large object; closed with its transaction."""

    __module__ = "psycopg2.extensions"

    def __init__(
        self, conn: Any, oid: int = 0, mode: str = "", new_oid: int = 0, new_file: Any = None
    ) -> None:
        if not hasattr(conn, "_check_open"):
            raise TypeError("argument 1 must be psycopg2.extensions.connection")
        conn._check_open()
        if conn.autocommit:
            raise ProgrammingError("can't use a lobject outside of transactions")
        match = re.fullmatch(r"(n|rw|r|w)?(b|t)?", mode or "")
        if match is None:
            raise TypeError(f"bad mode for lobject: '{mode}'")
        self._connection = conn
        self._cursor = cursor(conn)
        access = match[1] or "r"
        self._text = match[2] != "b"
        self.closed = False
        self._fd = -1
        self.oid = oid
        if not oid:
            self.oid = self._call("lo_create", new_oid) if new_oid else self._call("lo_creat", -1)
            access = "w" if match[1] is None else access
        self.mode = f"{access}{'t' if self._text else 'b'}"
        self.closed = access == "n"
        if access != "n":
            flags = {"r": _READ, "w": _WRITE, "rw": _READ | _WRITE}[access]
            if new_file is not None:
                flags |= _WRITE
            self._fd = self._call("lo_open", self.oid, flags)
        self._mark = conn._mark
        if new_file is not None:
            with open(new_file, "rb") as file:  # noqa: PTH123 - may be a descriptor
                self.write(file.read())
            self.seek(0)

    def _call(self, function: str, *arguments: Any) -> Any:
        marks = ", ".join(["%s"] * len(arguments))
        try:
            self._cursor.execute(f"SELECT {function}({marks})", arguments)
        except DatabaseError as error:
            if error.pgcode is None:
                raise
            raise OperationalError(f"ERROR:  {error}") from error
        return self._cursor.fetchone()[0]

    def _check(self) -> None:
        if self.closed:
            raise InterfaceError("lobject already closed")
        if self._fd < 0:
            raise InterfaceError("lobject already closed")
        if self._mark != self._connection._mark:
            raise ProgrammingError("lobject isn't valid anymore")

    def read(self, size: int = -1) -> Any:
        """Return up to `size` bytes, all that is left by default."""
        self._check()
        parts = []
        left = size
        while size < 0 or left > 0:
            part = bytes(self._call("loread", self._fd, _CHUNK if size < 0 else min(left, _CHUNK)))
            if not part:
                break
            parts.append(part)
            left -= len(part)
        data = b"".join(parts)
        return data.decode(self._connection._codec) if self._text else data

    def write(self, data: Any) -> int:
        """Write text or bytes at the position and return how many bytes."""
        self._check()
        raw = data.encode(self._connection._codec) if isinstance(data, str) else bytes(data)
        for start in range(0, len(raw), _CHUNK):
            self._call("lowrite", self._fd, raw[start : start + _CHUNK])
        return len(raw)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the position and return it."""
        self._check()
        return int(self._call("lo_lseek64", self._fd, offset, whence))

    def tell(self) -> int:
        """Return the position."""
        self._check()
        return int(self._call("lo_tell64", self._fd))

    def truncate(self, len: int = 0) -> None:
        """Cut the object."""
        self._check()
        self._call("lo_truncate64", self._fd, len)

    def unlink(self) -> None:
        """Remove the object from the database."""
        self.close()
        self._call("lo_unlink", self.oid)

    def export(self, filename: str) -> None:
        """Write the whole object to a file here."""
        scope = find_scope(self._connection)
        data = scope.query("SELECT lo_get(%s)", (self.oid,))[0][0]
        with open(filename, "wb") as file:  # noqa: PTH123 - as the name was given
            file.write(data)

    def close(self) -> None:
        """Close the object."""
        if not self.closed and self._fd >= 0 and self._mark == self._connection._mark:
            status = self._connection.get_transaction_status()
            if status == 2:
                self._call("lo_close", self._fd)
        self.closed = True
