"""URLs that an app puts together from several variables, as init writes them."""

from __future__ import annotations

import pytest

from edgelift.model.inventory import EnvVariable
from edgelift.sources.source_code.url_parts import compose_url

PARTS = {
    "POSTGRES_SERVER": "db", "POSTGRES_PORT": "6000", "POSTGRES_USER": "u",
    "POSTGRES_PASSWORD": "p", "POSTGRES_DB": "shop", "SMTP_USER": "m", "SMTP_HOST": "mail",
}  # fmt: skip
LOGIN = "${POSTGRES_USER}:${POSTGRES_PASSWORD}@"


@pytest.mark.parametrize(
    ("url", "changed", "found"),
    [
        ("postgresql+psycopg://db:6000/shop", {},
         f"postgresql+psycopg://{LOGIN}${{POSTGRES_SERVER}}:${{POSTGRES_PORT}}/${{POSTGRES_DB}}"),
        ("postgresql://db/shop", {"POSTGRES_PORT": "5432"},
         f"postgresql://{LOGIN}${{POSTGRES_SERVER}}/${{POSTGRES_DB}}"),
        ("postgresql://db:6000/shop", {"POSTGRES_SERVER": "db:6000", "POSTGRES_PORT": ""},
         f"postgresql://{LOGIN}${{POSTGRES_SERVER}}/${{POSTGRES_DB}}"),
        ("postgresql://h:6000/shop", {}, f"postgresql://{LOGIN}h:${{POSTGRES_PORT}}/${{POSTGRES_DB}}"),
        ("mysql://h/shop", {"POSTGRES_DB": "", "DATABASE": "shop"}, "mysql://h/${DATABASE}"),
        ("postgresql://db:6000/other", {}, ""),
        ("sqlite:///shop.db", {}, ""),
    ],
)  # fmt: skip
def test_the_parts_are_known_by_their_values_and_names(
    url: str, changed: dict[str, str], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*PARTS, "DATABASE"):
        monkeypatch.delenv(name, raising=False)
    values = {**PARTS, **changed}
    assert compose_url(url, [EnvVariable(name=n, default=v) for n, v in values.items()]) == found
