from pathlib import Path

import pytest

from pipeline.sources import FORMATS
from pipeline.sources.field_map import table

PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text("utf-8")


def section(name):
    return PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_section_with_a_command(name):
    assert "    stillwatch ingest " in section(name)


@pytest.mark.parametrize("name", ["litellm", "otel", "cloudtrail"])
def test_the_search_order_of_the_account_is_the_documented_one(name):
    order = section(name).partition("\nAccount: ")[2].partition(".\n")[0].partition(". An identity")[0]
    assert [place.strip("`\n ") for place in order.split(",")] == table(name)["fields"]["account_id"]


def test_every_place_of_a_gateways_caller_is_documented():
    text = section("apigateway").partition("\nAccount: ")[2].partition("\n\n")[0]
    assert all(f"`{place}`" in text for place in table("apigateway")["fields"]["account_id"])
    assert "accountId" not in text


def test_links_lead_somewhere():
    maps = [f"../schemas/field_maps/{name}.toml" for name in ("litellm", "otel", "cloudtrail", "apigateway", "errors")]
    for target in ("../schemas/api_call/README.md", "../schemas/examples", *maps):
        assert f"({target})" in PAGE
        assert (Path(__file__).parents[2] / "docs" / target).exists()
