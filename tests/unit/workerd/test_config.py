"""workerd's generated configuration."""

from __future__ import annotations

import re

import pytest

from edgelift.targets.workerd.boots import write_wasm_table
from edgelift.targets.workerd.config import (
    app_config,
    build_config,
    list_modules,
    module_kind,
    quote_text,
)

MODULES = list_modules("worker.mjs", ["b.json", "worker.mjs", "wasm/000.wasm"])


def test_the_main_module_comes_first_whatever_its_name() -> None:
    assert [m.name for m in MODULES] == ["worker.mjs", "b.json", "wasm/000.wasm"]
    assert [m.kind for m in MODULES] == ["esModule", "json", "wasm"]
    assert MODULES[0].file == "modules/worker.mjs"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.mjs", "esModule"), ("a.wasm", "wasm"), ("a.json", "json"), ("a.pack", "data")],
)
def test_kinds_follow_the_file_name(name: str, kind: str) -> None:
    assert module_kind(name) == kind


def test_text_is_quoted_for_capnp() -> None:
    assert quote_text('a"b\\c\nd\x01é') == '"a\\"b\\\\c\\x0ad\\x01é"'


def test_only_the_build_may_compile_wasm() -> None:
    assert "unsafeEval" in build_config(MODULES)
    assert "unsafeEval" not in app_config(MODULES, ["DB"])


def test_databases_get_bindings_around_one_entry_point() -> None:
    text = app_config(MODULES, ["DB", "OTHER"])
    assert len(re.findall("cloudflare-internal:d1-api", text)) == 2
    assert r'entrypoint = "D1Service", props = (json = "{\"database\": \"OTHER\"}"))' in text
    assert text.count('className = "D1Database", uniqueKey = "edgelift-D1"') == 1
    assert 'localDisk = "databases"' in text


def test_without_databases_there_is_no_database_service() -> None:
    text = app_config(MODULES, [])
    assert "d1-api" not in text
    assert "localDisk" not in text


def test_no_path_and_no_value_is_part_of_the_configuration() -> None:
    text = app_config(MODULES, ["DB"])
    assert text.count("fromEnvironment") == 2
    assert not re.search(r"path = ", text)


def test_the_wasm_table_names_each_module_once() -> None:
    table = write_wasm_table({"bb": "wasm/001.wasm", "aa": "wasm/000.wasm"})
    assert "import m0 from './wasm/000.wasm';" in table
    assert "['aa', m0],\n  ['bb', m1]" in table
    assert "export const mainModule" in table
