"""DEPLOY.md: the steps that a project needs, in an order in which each finds what it needs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edgelift.stages.build.deploy_steps import write_deploy_steps


def parts(**given: Any) -> Any:
    made = {"objects": (), "servers": (), "secrets": (), **given}
    return SimpleNamespace(
        project=SimpleNamespace(settings=SimpleNamespace(name="Shop")),
        select=lambda strategy: made["objects"] if strategy == "object" else (),
        servers=made["servers"],
        secrets=made["secrets"],
    )


def steps(text: str) -> list[str]:
    return [part.partition("\n\n")[2].partition(" ")[0] for part in text.split("## Step ")[1:]]


def test_an_app_without_anything_is_deployed_at_once() -> None:
    text = write_deploy_steps(parts(), "shop", {})
    assert steps(text) == ["Deploy"]
    assert "pywrangler deploy" in text


def test_rows_are_imported_before_the_app_is_there() -> None:
    text = write_deploy_steps(parts(), "shop", {"main": "shop-main", "log": "shop-log"})
    assert steps(text) == ["Create", "Import", "Deploy"]
    for command in (
        "npx wrangler d1 create shop-main",
        "edgelift data . --import-files upload",
        "for file in upload/log/*.sql; do npx wrangler d1 execute shop-log --remote",
    ):
        assert command in text
    assert text.index("d1 create") < text.index("d1 execute") < text.index("pywrangler deploy")


def test_objects_have_an_address_only_while_rows_are_loaded() -> None:
    text = write_deploy_steps(parts(objects=("main",)), "shop", {})
    order = [
        "export EDGELIFT_LOAD_SECRET", "deploy --config .edgelift/build/sql/wrangler.load.jsonc",
        "secret put EDGELIFT_LOAD_SECRET --name shop-sql",
        "edgelift data . --upload https://shop-sql.", "secret delete EDGELIFT_LOAD_SECRET --name shop-sql",
        "deploy --config .edgelift/build/sql/wrangler.jsonc", "pywrangler deploy",
    ]  # fmt: skip
    places = [text.index(command) for command in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("known", "expected"), [("", ["Create", "Put", "Deploy"]), ("id", ["Put", "Deploy"])]
)
def test_hyperdrive_and_secrets(known: str, expected: list[str]) -> None:
    servers = (SimpleNamespace(name="main", id=known),)
    text = write_deploy_steps(parts(servers=servers, secrets=("KEY", "MAIL")), "shop", {})
    assert steps(text) == expected
    assert (
        "npx wrangler secret put KEY --name shop\nnpx wrangler secret put MAIL --name shop" in text
    )
