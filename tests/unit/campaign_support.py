"""Streams of signals for tests of campaigns: ordinary accounts, and groups that share things."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec
import numpy as np

from pipeline.campaigns.campaign import Campaign, Member
from pipeline.campaigns.links import LinkStage
from pipeline.campaigns.stage import CampaignStage
from pipeline.campaigns.tracked import Changes
from pipeline.engine.identity import AccountSlots
from pipeline.event import ApiCall, partition_of
from pipeline.event.columns import EventBatch
from pipeline.features.links import LinkAccumulator
from pipeline.features.signals import Signals
from pipeline.settings import CampaignSettings

START = 1_733_011_200_000
HOUR = 3_600_000
SETTINGS = CampaignSettings()
LATENESS_S = 120


class World:
    """Calls of accounts, hour by hour; `random` decides everything that is not said."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.calls: list[ApiCall] = []

    def ordinary(self, count: int, hours: int) -> None:
        """Accounts that have nothing in common but programs and networks that many have."""
        for index in range(count):
            self.group([f"ordinary-{index}"], range(hours), rate=float(self.random.lognormal(-1.2, 1.0)))

    def group(
        self,
        names: Sequence[str],
        hours: Iterable[int],
        *,
        rate: float | Sequence[float] = 1.0,
        **shared: object,
    ) -> None:
        """Accounts that call in `hours`, each `rate` times an hour on average. `shared` fields are one value for all, or a list

        of one for each account; the others are the account's own.
        """
        for place, name in enumerate(names):

            def own(field: str, value: object, place: int = place) -> object:
                given = shared.get(field, value)
                return given[place] if isinstance(given, list) else given

            mean = rate if isinstance(rate, float) else rate[place]
            template = int(self.random.integers(1 << 63))
            for hour in hours:
                for _ in range(int(self.random.poisson(mean))):
                    asn = int(self.random.choice([16509, 14061, 7018, 3320]))
                    self.calls.append(
                        ApiCall(
                            event_id=f"{len(self.calls)}",
                            ts=START + hour * HOUR + int(self.random.integers(HOUR)),
                            account_id=name,
                            org_id=own("org_id", f"org of {name}"),  # type: ignore[arg-type]
                            payment_id=own("payment_id", f"card of {name}"),  # type: ignore[arg-type]
                            api_key_id=f"key of {name}",
                            signup_ts=own("signup_ts", START - 90 * 24 * HOUR - place * 7 * HOUR),  # type: ignore[arg-type]
                            client_ip=own("client_ip", f"100.{hash_of(name) % 200}.{hash_of(name) // 200 % 250}.7"),  # type: ignore[arg-type]
                            asn=own("asn", asn),  # type: ignore[arg-type]
                            user_agent=own("user_agent", "OpenAI/Python"),  # type: ignore[arg-type]
                            system_prompt_hash=own("system_prompt_hash", f"{hash_of(name):016x}"),  # type: ignore[arg-type]
                            prompt_simhash=f"{own('prompt_simhash', template):016x}",
                            output_tokens=int(self.random.lognormal(6, 0.5)),
                            status=200,
                        )
                    )

    def in_order(self) -> list[ApiCall]:
        """All calls by time."""
        return sorted(self.calls, key=lambda call: (call.ts, call.event_id))


def hash_of(name: str) -> int:
    """A number for a name, the same in every process."""
    return sum((index + 1) * 7919 * ord(letter) for index, letter in enumerate(name)) * 2654435761 % (1 << 40)


def signals_of(calls: Sequence[ApiCall], partitions: int, batch: int) -> list[Signals]:
    """Signals of all partitions, in the order in which batches of so many events would give them."""
    slots = [AccountSlots() for _ in range(partitions)]
    links = [LinkAccumulator(LATENESS_S) for _ in range(partitions)]
    found = []
    for begin in range(0, len(calls), batch):
        for number in range(partitions):
            mine = [one for one in calls[begin : begin + batch] if partition_of(one.account_id, partitions) == number]
            if not mine:
                continue
            columns = EventBatch.from_calls(mine, range(len(mine)), number)
            at = slots[number].of(columns.account_id)
            told = links[number].follow(columns, at, np.zeros(len(mine), np.bool_), len(slots[number]))
            names = [slots[number].account_of[slot] for slot in told[0].slot.tolist()]
            found.append(Signals(number, names, *told))
    return found


def campaigns_in(
    signals: Iterable[Signals], partitions: int, settings: CampaignSettings = SETTINGS
) -> tuple[dict[str, Campaign], dict[str, Member], Changes]:
    """The newest version of each campaign, the members by account, and all changes."""
    links = LinkStage(settings, range(partitions))
    stage = CampaignStage(settings, LATENESS_S)
    changes = Changes()
    for one in signals:
        changes.extend(stage.hear(0, links.hear(one)))
    campaigns = {one.campaign_id: one for one in changes.campaigns}
    return campaigns, {one.account_id: one for one in changes.members}, changes


def found_in(world: World) -> tuple[dict[str, Campaign], dict[str, Member], Changes]:
    """Campaigns among the calls of a world."""
    return campaigns_in(signals_of(world.in_order(), 2, 5000), 2)


def encoded(changes: Changes) -> bytes:
    """Changes as bytes, for comparing."""
    return msgspec.json.encode(changes)


def without_closed(signals: Signals) -> Signals:
    """The same rows, without saying that their hours are complete."""
    return replace(signals, closed=signals.chosen(np.zeros(0, np.int64), closed=False).closed)
