"""What makes a group around a link, on graphs made by hand."""

import pytest

from pipeline.campaigns.candidates import Activity, Candidate
from pipeline.campaigns.graph import LinkGraph
from pipeline.campaigns.groups import group_around
from pipeline.features.link_kinds import KINDS
from pipeline.settings import CampaignSettings

PROMPT, PREFIX, PAYMENT = (KINDS.index(name) for name in ("system_prompt", "address_prefix", "payment"))
HOUR = 480_000


def graph(*links: tuple[int, int], accounts: int = 8) -> LinkGraph:
    """Accounts of customers of their own, among a thousand, which all use these links of (kind, value)."""
    made = LinkGraph()
    users = [Activity(f"account-{n}", 100 + n, 200 + n, HOUR - 500 - n, HOUR, 3, 900, 0, 7) for n in range(accounts)]
    made.update(HOUR, 1000, [Candidate(kind, value, users) for kind, value in links])
    made.measure()
    return made


@pytest.mark.parametrize(
    ("links", "linked"),
    [
        # The branches of a company, each with a bill of its own: one network and what is sent from it.
        ([(PREFIX, 1), (PROMPT, 5)], False),
        # The same from several networks, or paid with one card across organisations, has no such cause.
        ([(PREFIX, 1), (PREFIX, 2), (PROMPT, 5)], True),
        ([(PREFIX, 1), (PROMPT, 5), (PAYMENT, 9)], True),
        # One thing alone says nothing.
        ([(PROMPT, 5)], False),
    ],
)
def test_what_is_shared_decides_whether_accounts_are_a_group(links: list[tuple[int, int]], linked: bool) -> None:
    made = graph(*links)
    found = group_around(made, (PROMPT << 64) | 5, CampaignSettings())
    assert (found is not None) == linked
    if found is not None:
        assert len(found.members) == 8
