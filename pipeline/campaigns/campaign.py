"""A campaign and its members, as they are stored."""

from __future__ import annotations

import msgspec


class Evidence(msgspec.Struct, frozen=True, array_like=True):
    """Something that links accounts: the kind of link, its value for people, and its weight in nats."""

    link: str
    value: str
    weight: float


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """An account of a campaign."""

    campaign_id: str
    account_id: str
    joined_at: int
    """Event time in epoch milliseconds at which it was found to belong."""
    evidence: tuple[Evidence, ...]


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a campaign; each change makes a new one with a higher `version`. Times are epoch milliseconds."""

    campaign_id: str
    version: int
    opened_at: int
    """Event time of the first call that is evidence."""
    detected_at: int
    last_seen_at: int
    members: int
    output_tokens: int
    """Output tokens that the members drew since it opened, as far as it was heard of."""
    score: float
    """How sure it is, 0 to 1."""
    evidence: tuple[Evidence, ...]
    status: str
    """`open` or `closed`."""
