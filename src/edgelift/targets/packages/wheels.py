"""Keeps wheels by content in the cache and unpacks them into a Worker's python_modules."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import msgspec
from packaging.utils import parse_wheel_filename

from edgelift.errors import TargetError

# Sources of extension modules and stubs of type checkers: no interpreter reads them.
UNREAD_SUFFIXES = (".pyi", ".pyx", ".pxd", ".c", ".h", ".pyc")
# What importlib.metadata can be asked for; the rest (RECORD, WHEEL, licences) serves installers.
KEPT_METADATA = frozenset({"METADATA", "entry_points.txt", "top_level.txt"})


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """A wheel of a resolution; `built` when it was made here from source, without native code."""

    name: str
    version: str
    filename: str
    sha256: str
    size_bytes: int
    built: bool = False
    required_by: str = ""

    @property
    def pure(self) -> bool:
        """Return whether it holds no native code."""
        return self.filename.endswith("-none-any.whl")


def store_wheel(file: Path, cache: Path, *, built: bool, required_by: str) -> Wheel:
    """Copy a wheel into the cache under its hash, atomically, and return its description."""
    with file.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    name, version, _build, _tags = parse_wheel_filename(file.name)
    wheel = Wheel(
        name=str(name),
        version=str(version),
        filename=file.name,
        sha256=sha256,
        size_bytes=file.stat().st_size,
        built=built,
        required_by=required_by,
    )
    place = wheel_path(wheel, cache)
    if not is_stored(wheel, cache):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as temporary:
            temporary.write(file.read_bytes())
        Path(temporary.name).replace(place)
    return wheel


def wheel_path(wheel: Wheel, cache: Path) -> Path:
    """Return where a wheel lies in the cache."""
    return cache / "wheels" / wheel.sha256[:32] / wheel.filename


def is_stored(wheel: Wheel, cache: Path) -> bool:
    """Return whether the cache holds a wheel in full length."""
    place = wheel_path(wheel, cache)
    return place.is_file() and place.stat().st_size == wheel.size_bytes


def unpack_wheels(wheels: Sequence[Wheel], destination: Path, cache: Path) -> None:
    """Fill `destination` with the wheels' importable content; appears whole or not at all.

    An earlier content is replaced. Raises TargetError for a missing or damaged wheel and when two
    wheels bring the same file with different content.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=destination.parent, prefix=f".{destination.name}-"))
    try:
        for wheel in wheels:
            _unpack(wheel, wheel_path(wheel, cache), temporary)
        if destination.exists():
            shutil.rmtree(destination)
        temporary.chmod(0o755)
        temporary.rename(destination)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack(wheel: Wheel, file: Path, folder: Path) -> None:
    try:
        _check_content(wheel, file)
        with zipfile.ZipFile(file) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            test_folders = find_test_folders([m.filename for m in members])
            places = {
                relative: member
                for member in members
                if (relative := installed_name(member.filename))
                and PurePosixPath(relative).parent not in test_folders
            }
            for relative, member in places.items():
                _write(folder / relative, archive.read(member), wheel)
            _add_top_level(folder, list(places), wheel)
    except (OSError, zipfile.BadZipFile) as error:
        file.unlink(missing_ok=True)
        raise TargetError(
            f"The package {wheel.name} {wheel.version} could not be unpacked",
            why=str(error),
            tip="run again: the bad copy was removed from the cache and is fetched anew",
        ) from error


def _add_top_level(folder: Path, names: list[str], wheel: Wheel) -> None:
    """Write top_level.txt where a wheel has none: importlib.metadata would else ask RECORD."""
    info = next((PurePosixPath(n).parent for n in names if n.endswith(".dist-info/METADATA")), None)
    if info is not None and f"{info}/top_level.txt" not in names:
        own = [name for name in names if not name.startswith(f"{info}/")]
        tops = sorted({name.partition("/")[0].partition(".")[0] for name in own} - {""})
        text = "".join(f"{top}\n" for top in tops)
        _write(folder / info / "top_level.txt", text.encode(), wheel)


def _check_content(wheel: Wheel, file: Path) -> None:
    with file.open("rb") as handle:
        if hashlib.file_digest(handle, "sha256").hexdigest() != wheel.sha256:
            raise zipfile.BadZipFile("its content changed since it was downloaded")


def _write(place: Path, content: bytes, wheel: Wheel) -> None:
    if place.exists() and place.read_bytes() != content:
        raise TargetError(
            f"Two packages bring the file {place.name} with different content",
            why=f"{wheel.name} {wheel.version} would overwrite {place.parent.name}/{place.name}",
            tip="list one of them under [packages] exclude in edgelift.toml",
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def installed_name(member: str) -> str | None:
    """Return where a wheel's member belongs below python_modules, or None for one that is left out.

    Raises zipfile.BadZipFile for a name that leads outside.
    """
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts:
        raise zipfile.BadZipFile(f"it holds the unsafe name {member!r}")
    top = path.parts[0]
    if top.endswith(".data") and len(path.parts) > 2:
        if path.parts[1] not in {"purelib", "platlib"}:
            return None
        path = PurePosixPath(*path.parts[2:])
    elif top.endswith(".dist-info"):
        return member if len(path.parts) == 2 and path.name in KEPT_METADATA else None
    return None if path.suffix in UNREAD_SUFFIXES else str(path)


def find_test_folders(names: Sequence[str]) -> set[PurePosixPath]:
    """Return the folders that hold a package's own tests: named `tests`, with files `test_*.py`."""
    paths = [PurePosixPath(name) for name in names]
    roots = {
        path.parent
        for path in paths
        if path.parent.name == "tests" and len(path.parts) > 2 and path.match("test_*.py")
    }
    return {path.parent for path in paths if roots & {path.parent, *path.parent.parents}}
