"""The life of one campaign: members, what marks them, its versions and its incidents."""

from __future__ import annotations

import hashlib
import math

import msgspec

from pipeline.campaigns.campaign import Campaign, Evidence, Member
from pipeline.campaigns.candidates import Link
from pipeline.features.links import HOUR_MS
from pipeline.incidents.incident import Incident, Reason
from pipeline.incidents.story import number
from pipeline.settings import CampaignSettings

#: A wave of new members is a new incident when the latest was raised longer ago.
WAVE_HOURS = 24
#: Hours after which a campaign that goes on gets a new version even without new members.
_REFRESH_HOURS = 24
_MOST_EVIDENCE = 24
_SEVERITIES = ((4.0, "critical"), (2.0, "high"), (0.0, "medium"))


class Changes(msgspec.Struct):
    """What became of campaigns, in order."""

    campaigns: list[Campaign] = []
    members: list[Member] = []
    incidents: list[Incident] = []

    def extend(self, other: Changes) -> None:
        """Add what came after."""
        self.campaigns += other.campaigns
        self.members += other.members
        self.incidents += other.incidents


class Tracked(msgspec.Struct):
    """A campaign that is followed, open or remembered."""

    campaign: Campaign
    nats: float
    members: dict[str, Member]
    reasons: tuple[Reason, ...]
    marks: dict[Link, int] = {}
    """Links that are mostly its members', and the hour in which each was used last by one."""
    last_hour: int = 0
    told_hour: int = 0
    incident: Incident | None = None
    marked: set[str] = set()
    """Members that joined by marks alone, so they make no marks of their own: else one wrong member brings the next."""

    def settle(self, hour: int, now: int, joined: list[Member], settings: CampaignSettings) -> Changes:
        """Make new versions after an hour in which members called or joined. `now` is the event time of its being known."""
        changes = Changes(members=joined)
        seen = (self.last_hour + 1) * HOUR_MS
        if joined or self.campaign.status != "open" or hour >= self.told_hour + _REFRESH_HOURS:
            self.told_hour = hour
            self.campaign = msgspec.structs.replace(
                self.campaign,
                version=self.campaign.version + 1,
                last_seen_at=seen,
                members=len(self.members),
                score=score_of(self.nats, settings),
                status="open",
            )
            changes.campaigns.append(self.campaign)
            changes.incidents += self._alert(now, bool(joined), settings)
        return changes

    def draw(self, output_tokens: int) -> None:
        """Count what a member drew."""
        self.campaign = msgspec.structs.replace(
            self.campaign, output_tokens=self.campaign.output_tokens + output_tokens
        )

    def close(self, settings: CampaignSettings) -> Changes:
        """End it, some hours after its last call."""
        closed_at = (self.last_hour + 1 + settings.quiet_hours) * HOUR_MS
        self.campaign = msgspec.structs.replace(
            self.campaign,
            version=self.campaign.version + 1,
            last_seen_at=(self.last_hour + 1) * HOUR_MS,
            status="closed",
        )
        changes = Changes(campaigns=[self.campaign])
        if self.incident is not None:
            changes.incidents.append(_ended(self.incident, closed_at))
            self.incident = None
        return changes

    def _alert(self, now: int, joined: bool, settings: CampaignSettings) -> list[Incident]:
        campaign, old = self.campaign, self.incident
        told = []
        if old is not None and joined and now - old.detected_at > WAVE_HOURS * HOUR_MS:
            told.append(_ended(old, now))
            old = None
        if old is None:
            identity = hashlib.blake2b(f"campaign\0{campaign.campaign_id}\0{now}".encode(), digest_size=10).hexdigest()
            opened_at = campaign.opened_at if campaign.version == 1 else min(now, campaign.last_seen_at) - HOUR_MS
            version, detected_at = 1, now
        else:
            identity, opened_at, version, detected_at = old.incident_id, old.opened_at, old.version + 1, old.detected_at
        self.incident = Incident(
            incident_id=identity,
            version=version,
            kind="coordination",
            entity_type="campaign",
            entity_id=campaign.campaign_id,
            opened_at=opened_at,
            detected_at=detected_at,
            last_seen_at=campaign.last_seen_at,
            closed_at=None,
            severity=next(name for factor, name in _SEVERITIES if self.nats >= factor * settings.open_at),
            peak_score=campaign.score,
            reasons=self.reasons,
            status="open",
            output_tokens=campaign.output_tokens,
            summary=self._summary(),
        )
        return [*told, self.incident]

    def _summary(self) -> str:
        seen = "; ".join(
            f"{one.feature.replace('_', ' ')} {number(one.observed)} where {number(one.expected)} was expected"
            for one in self.reasons[:3]
        )
        return (
            f"{len(self.members)} accounts drew {number(self.campaign.output_tokens)} output tokens together, "
            f"which share what few have: {seen}."
        )


def found(
    anchor: str, evidence: list[Evidence], opened_at: int, now: int, nats: float, reasons: list[Reason]
) -> Tracked:
    """A campaign as it begins; `anchor` and the hour of its detection give its id, the same in the stream and in every replay."""
    strongest = tuple(sorted(evidence, key=lambda one: (-one.weight, one.link, one.value))[:_MOST_EVIDENCE])
    campaign = Campaign(
        campaign_id=hashlib.blake2b(f"campaign\0{anchor}\0{now}".encode(), digest_size=10).hexdigest(),
        version=0,
        opened_at=opened_at,
        detected_at=now,
        last_seen_at=now,
        members=0,
        output_tokens=0,
        score=0.0,
        evidence=strongest,
        status="open",
    )
    return Tracked(campaign, nats, {}, tuple(reasons))


def score_of(nats: float, settings: CampaignSettings) -> float:
    """How sure it is, 0 to 1: 0.95 at the evidence that opens a campaign."""
    return 1.0 - math.pow(0.05, nats / settings.open_at)


def _ended(incident: Incident, now: int) -> Incident:
    return msgspec.structs.replace(incident, version=incident.version + 1, status="closed", closed_at=now)
