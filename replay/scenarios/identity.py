"""Who calls: ids, keys, addresses, programs. All made up; addresses are of ranges for documentation and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

Random = np.random.Generator

#: Countries with an offset from UTC in hours, a provider of access (ASN), and a weight.
PLACES = (
    ("US", -6.0, 7922, 0.30),
    ("US", -8.0, 7018, 0.12),
    ("DE", 1.0, 3320, 0.10),
    ("GB", 0.0, 2856, 0.10),
    ("IN", 5.5, 55836, 0.12),
    ("JP", 9.0, 4713, 0.08),
    ("BR", -3.0, 28573, 0.08),
    ("AU", 10.0, 1221, 0.05),
    ("CA", -5.0, 577, 0.05),
)
#: Hosting providers: where servers, and proxies, are.
HOSTING = ((16509, "US"), (15169, "US"), (14061, "NL"), (24940, "DE"), (20473, "SG"), (45102, "SG"))
USER_AGENTS = (
    ("OpenAI/Python 1.57.0", 0.34),
    ("OpenAI/Python 1.30.1", 0.16),
    ("openai-node/4.76.0", 0.18),
    ("langchain/0.3.9", 0.10),
    ("litellm/1.53.1", 0.08),
    ("python-requests/2.32.3", 0.08),
    ("curl/8.5.0", 0.03),
    ("okhttp/4.12.0", 0.03),
)
MODELS = (("gamma-4-mini", 0.46), ("gamma-4", 0.30), ("gamma-3.5-turbo", 0.14), ("gamma-r1", 0.10))
#: The models that report reasoning tokens.
REASONING_MODELS = frozenset({"gamma-r1"})
#: System prompts that popular frameworks send by default: many honest accounts share them.
POPULAR_SYSTEM_PROMPTS = tuple(f"{value:032x}" for value in (0xA11CE, 0xB0B5, 0xC0FFEE, 0xD0D0, 0xFACADE))


@dataclass(frozen=True, slots=True)
class Identity:
    """What stands in an account's events and does not depend on the single call. `*_ids` are used in turn or at random."""

    account_id: str
    org_id: str
    project_id: str
    payment_id: str
    signup_ts: int
    key_ids: tuple[str, ...]
    addresses: tuple[str, ...]
    asn: int
    country: str
    zone_hours: float
    user_agents: tuple[str, ...]
    models: tuple[str, ...]
    extra: dict[str, str] = field(default_factory=dict)


def token(random: Random, digits: int) -> str:
    """A random text of hexadecimal digits."""
    return "".join("0123456789abcdef"[value] for value in random.integers(0, 16, size=digits).tolist())


def address(random: Random) -> str:
    """An address of 198.18.0.0/15 (RFC 2544), with 10.0.0.0/8 for variety where that is too small."""
    a, b, c = (int(value) for value in random.integers(0, 256, size=3))
    return f"198.{18 + a % 2}.{b}.{c}" if a < 128 else f"10.{a}.{b}.{c}"


def pick(random: Random, choices: tuple[tuple[str, float], ...], count: int = 1) -> tuple[str, ...]:
    """`count` different choices by weight."""
    weights = np.array([weight for _, weight in choices])
    found = random.choice(len(choices), size=min(count, len(choices)), replace=False, p=weights / weights.sum())
    return tuple(choices[index][0] for index in found.tolist())


def new_identity(random: Random, signup_ts: int) -> Identity:
    """An ordinary account of its own."""
    places = np.array([place[3] for place in PLACES])
    country, zone, asn, _ = PLACES[int(random.choice(len(PLACES), p=places / places.sum()))]
    return Identity(
        account_id=f"acct_{token(random, 12)}",
        org_id=f"org_{token(random, 8)}",
        project_id=f"proj_{token(random, 8)}",
        payment_id=f"pay_{token(random, 10)}",
        signup_ts=signup_ts,
        key_ids=tuple(f"key_{token(random, 10)}" for _ in range(int(random.integers(1, 4)))),
        addresses=tuple(address(random) for _ in range(int(random.choice([1, 1, 2, 3, 6])))),
        asn=asn,
        country=country,
        zone_hours=zone,
        user_agents=pick(random, USER_AGENTS, int(random.choice([1, 1, 1, 2]))),
        models=pick(random, MODELS, int(random.choice([1, 1, 2, 3]))),
    )


def hosted(identity: Identity, random: Random, addresses: int) -> Identity:
    """The same account, calling from `addresses` servers of one hosting provider."""
    asn, country = HOSTING[int(random.integers(0, len(HOSTING)))]
    return replace(identity, addresses=tuple(address(random) for _ in range(addresses)), asn=asn, country=country)


def in_company(identity: Identity, company: Identity) -> Identity:
    """The same account within a company: its organisation, bill and address are the company's."""
    return replace(
        identity,
        org_id=company.org_id,
        payment_id=company.payment_id,
        addresses=company.addresses[:1],
        asn=company.asn,
        country=company.country,
        zone_hours=company.zone_hours,
    )
