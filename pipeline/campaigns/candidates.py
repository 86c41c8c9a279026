"""What the second stage tells the third: who used a value that few share."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from pipeline.features.link_kinds import CLASS_OF, KINDS, value_text

#: A kind of link and a value, in one number: the kind above the 64 bits of the value.
Link: TypeAlias = int


def link_of(kind: int, value: int) -> Link:
    """The link of a kind (index into `KINDS`) and a value of 64 bits."""
    return (kind << 64) | value


def kind_name(link: Link) -> str:
    """The name of the link's kind."""
    return KINDS[link >> 64]


def class_of(link: Link) -> str:
    """The class of evidence that the link belongs to."""
    return CLASS_OF[link >> 64]


def text_of(link: Link) -> str:
    """The link's value for people."""
    return value_text(link >> 64, link & 0xFFFF_FFFF_FFFF_FFFF)


def band_of(link: Link) -> int:
    """Of a family's link: the place of its band among the four of the simhash."""
    return (link >> 32) & 0xFFFF_FFFF


class Activity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an account did in an hour, and who it is. Hours are counted since the epoch; hashes are 0 where absent."""

    account_id: str
    org: int
    payment: int
    first_hour: int
    hour: int
    calls: int
    output_tokens: int
    templated: int
    minutes: int

    @property
    def organisation(self) -> int | str:
        """The account's organisation; the account itself where none is known."""
        return self.org or self.account_id

    @property
    def customer(self) -> int | str:
        """Who pays: the means of payment, or else the organisation, or the account."""
        return self.payment or self.org or self.account_id


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A link, and the accounts to be told of now. With none it has become popular, and is to be forgotten."""

    kind: int
    value: int
    users: list[Activity]

    @property
    def link(self) -> Link:
        """The link in one number."""
        return link_of(self.kind, self.value)
