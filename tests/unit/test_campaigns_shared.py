"""What is told of one value's users, hour by hour, is what all its users of two days say."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.campaigns.links import LinkStage
from pipeline.features.links import RECENT_HOURS, AccountHours, ClosedHours, Links
from pipeline.features.signals import Signals
from pipeline.settings import CampaignSettings

#: Hours since the one before, and the organisations of the accounts that used the value in it.
USES = st.lists(
    st.tuples(st.sampled_from([1, 2, 23, 47, 48, 49]), st.dictionaries(st.sampled_from("abcde"), st.integers(1, 2))),
    max_size=12,
)


def _signals(hour: int, organisations: dict[str, int]) -> Signals:
    count = len(organisations)
    zeros, none = np.zeros(count, np.int64), np.zeros(count, np.uint64)
    hours = AccountHours(
        np.arange(count),
        np.full(count, hour),
        zeros,
        zeros,
        zeros,
        zeros,
        np.array(list(organisations.values()), np.uint64),
        none,
        none,
    )
    links = Links(np.arange(count), np.zeros(count, np.uint8), np.full(count, 7, np.uint64))
    return Signals(0, list(organisations), hours, links, ClosedHours(np.array([hour + 1]), np.array([count])))


@settings(max_examples=150, deadline=None)
@given(USES)
def test_users_are_told_when_they_are_of_several_organisations(uses: list[tuple[int, dict[str, int]]]) -> None:
    stage = LinkStage(CampaignSettings(), range(1))
    # Values that nobody uses any more are not dropped here, with what was told of them.
    stage.forgot_at = 1 << 40
    latest: dict[str, tuple[int, int]] = {}
    hour, seen_at, several, told, last = 1000, -1000, False, False, ""
    for later, organisations in uses:
        hour += later
        found = [one for linked in stage.hear(_signals(hour, organisations)) for one in linked.candidates]
        if not organisations:
            assert found == []
            continue
        # Several accounts must have used it with less than two days between one use and the next.
        several = len(organisations) > 1 or (
            hour - seen_at <= RECENT_HOURS and (several or organisations.keys() != {last})
        )
        seen_at, last = hour, list(organisations)[-1]
        if not several:
            assert found == []
            continue
        for account, organisation in organisations.items():
            latest[account] = hour, organisation
        latest = {account: use for account, use in latest.items() if hour - use[0] <= RECENT_HOURS}
        mixed = len({organisation for _, organisation in latest.values()}) > 1
        expected = sorted(organisations if told else latest) if mixed else []
        told = told or mixed
        assert [user.account_id for one in found for user in one.users] == expected
