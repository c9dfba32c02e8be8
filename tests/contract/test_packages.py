"""Resolving with the real pip against a folder of tiny packages: no network, no index."""

from __future__ import annotations

import os
import tarfile
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from edgelift.errors import TargetError, TargetUnavailable
from edgelift.model.findings import Level
from edgelift.targets.packages import OriginUse, Resolution, install_packages, resolve_packages
from edgelift.targets.packages.wheels import wheel_path

WASM = "cp314-cp314-pyemscripten_2026_0_wasm32"
HOST = "cp311-cp311-manylinux_2_17_x86_64"
BACKEND = """
import zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name, content = {wheel!r}, {content!r}
    if not name:
        raise SystemExit("needs a compiler")
    with zipfile.ZipFile(folder + "/" + name, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    return name
"""


@dataclass
class Index:
    """A folder of wheels and sdists that pip looks into."""

    folder: Path
    cache: Path

    def add(
        self, name: str, version: str = "1.0", *, tag: str = "py3-none-any",
        requires: tuple[str, ...] = (), files: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        (self.folder / f"{name}-{version}-{tag}.whl").write_bytes(
            wheel_bytes(wheel_content(name, version, tag, requires, files))
        )

    def add_source(self, name: str, version: str = "1.0", *, tag: str = "py3-none-any",
                   extra: dict[str, str] | None = None) -> None:  # fmt: skip
        """Add an sdist that builds a wheel with this tag; an empty tag needs a compiler."""
        wheel = f"{name}-{version}-{tag}.whl" if tag else ""
        backend = BACKEND.format(
            wheel=wheel, content=wheel_content(name, version, tag or "py3-none-any", (), extra)
        )
        files = {
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "back"\nbackend-path = ["."]\n',
            "back.py": backend,
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        }
        with tarfile.open(self.folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
            for path, text in files.items():
                info = tarfile.TarInfo(f"{name}-{version}/{path}")
                info.size = len(text.encode())
                archive.addfile(info, BytesIO(text.encode()))

    def resolve(self, *requirements: str, **options) -> Resolution:
        return resolve_packages(requirements, cache=self.cache, **options)


def wheel_content(name: str, version: str, tag: str, requires: tuple[str, ...],
                  files: dict[str, str] | None) -> dict[str, str]:  # fmt: skip
    extras = {r.split("'")[1] for r in requires if "extra ==" in r}
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {r}\n" for r in requires)
    metadata += "".join(f"Provides-Extra: {e}\n" for e in extras)
    info = f"{name}-{version}.dist-info"
    return {
        **(files or {f"{name}.py": f"version = {version!r}\n"}),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/RECORD": "",
    }


def wheel_bytes(content: dict[str, str]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    return buffer.getvalue()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    folder = tmp_path / "index"
    folder.mkdir()
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return Index(folder, tmp_path / "cache")


def names(resolution: Resolution) -> list[str]:
    return [f"{wheel.name}=={wheel.version}" for wheel in resolution.wheels]


def rules(resolution: Resolution) -> list[str]:
    return [finding.rule for finding in resolution.findings]


def test_markers_and_tags_are_the_targets(index: Index) -> None:
    index.add("app", requires=(
        "nolet; platform_machine == 'x86_64'", "core>=1", "tz; sys_platform == 'emscripten'",
    ))  # fmt: skip
    index.add("core", tag=WASM)
    index.add("core", "2.0", tag=HOST)
    index.add("tz")
    found = index.resolve("app")
    assert names(found) == ["app==1.0", "core==1.0", "tz==1.0"]
    assert {p.name: p.outcome for p in found.packages} == dict.fromkeys(
        ["app", "core", "tz"], "vendored"
    )
    assert [w.required_by for w in found.wheels] == ["", "app", "app"]
    assert found.findings == ()


def test_a_source_with_optional_native_code_is_built_pure(index: Index) -> None:
    index.add("app", requires=("soft>=2",))
    index.add("soft", "2.0", tag=HOST)
    index.add_source("soft", "2.0")
    found = index.resolve("app")
    assert names(found) == ["app==1.0", "soft==2.0"]
    assert found.wheels[1].built
    assert "built from source" in {p.name: p.reason for p in found.packages}["soft"]


@pytest.mark.parametrize(
    ("tag", "extra", "why"),
    [
        ("", None, "native compiler"),
        (HOST, None, "this machine's Python"),
        ("py3-none-any", {"hard/_x.so": "ELF"}, "native code"),
    ],
)
def test_native_code_refuses_the_requirement_and_keeps_the_rest(
    index: Index, tag: str, extra: dict[str, str] | None, why: str
) -> None:
    index.add("app", requires=("middle",))
    index.add("middle", requires=("hard",))
    index.add_source("hard", tag=tag, extra=extra)
    index.add("other")
    found = index.resolve("app", "other")
    assert names(found) == ["other==1.0"]
    (finding,) = found.findings
    assert (finding.rule, finding.level) == ("PKG-REFUSED", Level.ERROR)
    assert finding.message.startswith("app cannot run in the Worker: it needs hard: ")
    assert why in finding.message
    assert {p.name: p.outcome for p in found.packages}["app"] == "refused"


def test_a_package_that_does_not_exist_is_refused(index: Index) -> None:
    found = index.resolve("nowhere-to-be-found>=3")
    assert found.wheels == ()
    assert "has no version of it" in found.findings[0].message


def test_a_native_requirement_of_an_extra_is_left_out_with_a_warning(index: Index) -> None:
    index.add("app", requires=("hard; extra == 'all'", "nice; extra == 'all'"))
    index.add_source("hard", tag="")
    index.add("nice")
    found = index.resolve("app[all]")
    assert names(found) == ["app==1.0", "nice==1.0"]
    assert [(f.rule, f.level) for f in found.findings] == [("PKG-EXTRA", Level.WARNING)]


def test_what_nothing_loads_is_left_out_when_it_cannot_run(index: Index) -> None:
    index.add("app", requires=("middle",))
    index.add("middle", requires=("hard",))
    index.add_source("hard", tag="")
    index.add_source("alone", tag="")
    idle = OriginUse(idle=("Hard", "alone"))
    found = index.resolve("alone", "pandas", use=idle)
    assert names(found) == []
    assert [(f.rule, f.level) for f in found.findings] == [
        ("PKG-REFUSED", Level.ERROR),
        ("PKG-IDLE", Level.WARNING),
    ]
    assert {p.name: p.outcome for p in found.packages} == {"alone": "excluded", "pandas": "refused"}
    needed = index.resolve("app", "hard", use=idle)
    assert sorted(rules(needed)) == ["PKG-IDLE", "PKG-REFUSED"]
    assert {p.name: p.outcome for p in needed.packages}["app"] == "refused"


def test_a_conflict_names_both_sides(index: Index) -> None:
    index.add("app", requires=("core<2",))
    index.add("core", "1.0")
    index.add("core", "2.0")
    found = index.resolve("app", "core>=2")
    assert "PKG-CONFLICT" in rules(found)
    message = next(f.message for f in found.findings if f.rule == "PKG-CONFLICT")
    assert "core>=2" in message
    assert "core<2" in message


def test_known_packages_never_reach_pip(index: Index) -> None:
    index.add("app", requires=("uvicorn",))
    found = index.resolve("app", "gunicorn", "scikit-learn", "pandas", "x; sys_platform == 'win32'")
    assert names(found) == ["app==1.0"]
    outcomes = {p.name: p.outcome for p in found.packages}
    assert outcomes == {
        "app": "vendored", "gunicorn": "excluded", "scikit-learn": "substituted",
        "pandas": "refused", "x": "excluded",
    }  # fmt: skip
    assert rules(found) == ["PKG-SUBSTITUTED", "PKG-REFUSED"]


def test_excluded_by_the_user_and_included(index: Index) -> None:
    index.add("app", requires=("unwanted",))
    index.add("gunicorn")
    found = index.resolve("app", "pandas", exclude=["unwanted", "Pandas"], include=["gunicorn"])
    assert names(found) == ["app==1.0", "gunicorn==1.0"]
    assert found.findings == ()


def test_the_origins_versions_are_kept_where_they_exist(index: Index) -> None:
    for version in ("1.0", "1.1", "2.0"):
        index.add("app", version)
    index.add("core", "2.0", tag=WASM)
    use = OriginUse(versions={"app": "1.1", "core": "1.9"})
    assert names(index.resolve("app", "core", use=use)) == ["app==1.1", "core==2.0"]


def test_lines_without_a_name_are_told(index: Index) -> None:
    found = index.resolve("-e .", "git+https://example.org/x.git", "x @ https://example.org/x.whl")
    assert rules(found) == ["PKG-LOCAL", "PKG-UNREADABLE", "PKG-REFUSED"]


def test_the_same_question_is_answered_from_the_cache(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("app")
    first = index.resolve("app")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert index.resolve("app") == first
    wheel_path(first.wheels[0], index.cache).unlink()
    assert index.resolve("app").wheels == ()


def test_an_index_that_does_not_answer_is_told(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(TargetUnavailable, match="could not be downloaded"):
        index.resolve("app")
    assert not list(index.cache.glob("resolutions/*"))


def test_install_fills_exactly_the_folder(index: Index, tmp_path: Path) -> None:
    index.add("app", files={"app/__init__.py": "x", "app/a.pyi": "", "app/tests/test_a.py": ""})
    destination = tmp_path / "modules"
    (destination / "old").mkdir(parents=True)
    install_packages(index.resolve("app"), destination, cache=index.cache)
    found = sorted(str(p.relative_to(destination)) for p in destination.rglob("*") if p.is_file())
    assert found == [
        "app-1.0.dist-info/METADATA", "app-1.0.dist-info/top_level.txt", "app/__init__.py",
    ]  # fmt: skip
    assert (destination / found[1]).read_text() == "app\n"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_changed_wheel_is_refused_removed_and_fetched_again(index: Index, tmp_path: Path) -> None:
    index.add("app")
    found = index.resolve("app")
    place = wheel_path(found.wheels[0], index.cache)
    place.write_bytes(place.read_bytes()[:-1] + b"!")
    with pytest.raises(TargetError, match="could not be unpacked"):
        install_packages(found, tmp_path / "modules", cache=index.cache)
    assert not (tmp_path / "modules").exists()
    install_packages(index.resolve("app"), tmp_path / "modules", cache=index.cache)
    assert (tmp_path / "modules/app.py").is_file()


def test_two_packages_with_the_same_file_are_told(index: Index, tmp_path: Path) -> None:
    index.add("one", files={"shared.py": "1"})
    index.add("two", files={"shared.py": "2"})
    with pytest.raises(TargetError, match="Two packages bring"):
        install_packages(index.resolve("one", "two"), tmp_path / "modules", cache=index.cache)
