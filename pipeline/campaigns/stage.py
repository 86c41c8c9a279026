"""The third stage: from rare links to campaigns, hour by hour."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.campaigns.behaviour import GroupModels, features_of
from pipeline.campaigns.campaign import Evidence, Member
from pipeline.campaigns.candidates import Activity, Candidate, Link, band_of, class_of, kind_name, text_of
from pipeline.campaigns.graph import LinkGraph
from pipeline.campaigns.groups import Group, group_around, independent, spans
from pipeline.campaigns.hours import HourGate, Passed
from pipeline.campaigns.links import LinkedHour
from pipeline.campaigns.tracked import Changes, Tracked, found
from pipeline.features.links import HOUR_MS
from pipeline.incidents.incident import Reason
from pipeline.settings import CampaignSettings

#: Hours between two looks for what was not used lately.
_FORGET_EVERY = 6
#: A link marks a campaign when at least this share of those who use it are members.
_MARKS_FROM = 0.5
#: Content that this share of at least so many users have as members marks a new user by itself.
_ALONE_FROM, _ALONE_USERS = 1 / 2, 4
#: Groups become a campaign of their own unless this share of their accounts belongs to one already.
_SAME_FROM = 1 / 3
_DAY_HOURS = 24


class CampaignStage:
    """All campaigns. Heard from the shards of the second stage, in any interleaving, it gives the same changes."""

    def __init__(self, settings: CampaignSettings, allowed_lateness_s: int, shards: Iterable[int] = (0,)) -> None:
        self._settings = settings
        self._lateness_ms = allowed_lateness_s * 1000
        self.gate: HourGate[LinkedHour] = HourGate(shards)
        self.graph = LinkGraph()
        self.models = GroupModels()
        self.tracked: dict[str, Tracked] = {}
        """Campaigns by id, in the order in which they were found."""
        self.campaign_of: dict[str, str] = {}
        """The campaign of each member."""
        self.first_hour = -1
        self.forgot = -1

    def hear(self, shard: int, hours: Iterable[LinkedHour]) -> Changes:
        """Take what a shard told in; what became of campaigns in the hours that are complete with it."""
        for one in hours:
            self.gate.add(shard, one.hour, one)
            self.gate.passed(shard, [Passed(one.hour + 1, one.active)])
        changes = Changes()
        for hour, told, _ in self.gate.ready():
            active = max((one.active for one in told), default=0)
            # Told twice, after a restart, is the same as once.
            candidates = {candidate.link: candidate for one in told for candidate in one.candidates}
            changes.extend(self._process(hour, active, [candidates[link] for link in sorted(candidates)]))
        return changes

    def _process(self, hour: int, active: int, candidates: list[Candidate]) -> Changes:
        changes = self._close_quiet(hour)
        if self.first_hour < 0 and active:
            self.first_hour = hour
        if not candidates:
            return changes
        used = self.graph.update(hour, active, candidates)
        if hour // _FORGET_EVERY > self.forgot:
            self.forgot = hour // _FORGET_EVERY
            self.graph.forget(hour)
        now = (hour + 1) * HOUR_MS + self._lateness_ms
        here = self._active_in(hour, candidates)
        joined: dict[str, list[Member]] = {}
        for activity in here:
            member = self._rejoin(activity, now)
            if member is not None:
                self.tracked[member.campaign_id].marked.add(activity.account_id)
                self._join(member, joined)
        groups = self._search(hour, used)
        if hour >= self.first_hour + self._settings.warm_up_hours:
            for group in groups:
                self._admit(group, hour, now, joined)
        self._note_activity(here, hour)
        for name in sorted({self.campaign_of[one.account_id] for one in here if one.account_id in self.campaign_of}):
            tracked = self.tracked[name]
            changes.extend(tracked.settle(hour, now, joined.get(name, []), self._settings))
            self._mark(tracked, hour)
        return changes

    def _active_in(self, hour: int, candidates: list[Candidate]) -> list[Activity]:
        named = {user.account_id: user for one in candidates for user in one.users if user.hour == hour}
        return [named[name] for name in sorted(named) if name in self.graph.accounts]

    def _close_quiet(self, hour: int) -> Changes:
        changes = Changes()
        for name, tracked in list(self.tracked.items()):
            silent = hour - tracked.last_hour
            if tracked.campaign.status == "open" and silent > self._settings.quiet_hours:
                changes.extend(tracked.close(self._settings))
            if silent > _DAY_HOURS * self._settings.memory_days:
                del self.tracked[name]
                for account in tracked.members:
                    self.campaign_of.pop(account, None)
        return changes

    def _join(self, member: Member, joined: dict[str, list[Member]]) -> None:
        self.tracked[member.campaign_id].members[member.account_id] = member
        self.campaign_of[member.account_id] = member.campaign_id
        joined.setdefault(member.campaign_id, []).append(member)

    def _rejoin(self, activity: Activity, now: int) -> Member | None:
        # A newcomer that carries a campaign's marks: two that are independent, or content that hardly anyone else uses.
        name = activity.account_id
        if name in self.campaign_of:
            return None
        links = self.graph.accounts[name].links
        for identity, tracked in self.tracked.items():
            carried = sorted(link for link in links if link in tracked.marks)
            pairs = any(independent(one, other) for one in carried for other in carried)
            if pairs or self._alone(carried, tracked):
                return self._member(identity, name, carried, now)
        return None

    def _alone(self, carried: list[Link], tracked: Tracked) -> bool:
        # A campaign's system prompt together with one of its prompt families; or content that is hardly anyone else's. One band
        # of a simhash has 16 bits, so two prompts may well have it in common: of bands it takes two places.
        content = [link for link in carried if class_of(link) == "content"]
        if len({kind_name(link) for link in content}) > 1:
            return True
        found: set[int] = set()
        for link in content:
            users = self.graph.users.get(link, {})
            members = sum(name in tracked.members for name in users)
            if members >= _ALONE_USERS and members >= _ALONE_FROM * len(users):
                found |= {-1, -2} if kind_name(link) == "system_prompt" else {band_of(link)}
        return len(found) > 1

    def _member(self, campaign: str, account: str, links: Iterable[Link], now: int) -> Member:
        weighed = [Evidence(kind_name(link), text_of(link), round(self.graph.rarity(link), 3)) for link in links]
        strongest = sorted(weighed, key=lambda one: (-one.weight, one.link, one.value))[:12]
        return Member(campaign_id=campaign, account_id=account, joined_at=now, evidence=tuple(strongest))

    def _search(self, hour: int, used: list[Link]) -> list[Group]:
        # Groups around the links used in this hour, the surest first: each account goes to the first that wants it.
        settings = self._settings
        groups = []
        for anchor in used:
            users = self.graph.users.get(anchor, {})
            if len(users) < settings.minimum_members or class_of(anchor) == "timing":
                continue
            strangers = sum(name not in self.campaign_of for name in users)
            if hour % _DAY_HOURS == anchor % _DAY_HOURS and 2 * strangers > len(users):
                self.models.learn(features_of([self.graph.accounts[name] for name in sorted(users)], hour))
            group = group_around(self.graph, anchor, settings) if strangers else None
            if group is not None and group.evidence >= settings.open_at / 2.0:
                groups.append(group)
        return sorted(groups, key=lambda one: (-one.evidence, one.anchor))

    def _admit(self, group: Group, hour: int, now: int, joined: dict[str, list[Member]]) -> None:
        known: dict[str, int] = {}
        for name in group.members:
            if name in self.campaign_of:
                known[self.campaign_of[name]] = known.get(self.campaign_of[name], 0) + 1
        identity = max(sorted(known), key=lambda one: known[one], default="")
        if not identity or known[identity] < _SAME_FROM * len(group.members):
            nats, reasons = self._judge(group, hour)
            if nats < self._settings.open_at:
                return
            tracked = self._found(group, now, nats, reasons)
            identity = tracked.campaign.campaign_id
            self.tracked[identity] = tracked
        for name in sorted(group.members):
            if name not in self.campaign_of:
                links = [link for link in group.weights if link in self.graph.accounts[name].links]
                self._join(self._member(identity, name, links, now), joined)
        self.tracked[identity].nats = max(self.tracked[identity].nats, group.evidence)

    def _judge(self, group: Group, hour: int) -> tuple[float, list[Reason]]:
        features = features_of([self.graph.accounts[name] for name in sorted(group.members)], hour)
        behaviour = self.models.nats(features)
        # Behaviour alone proves nothing, so all of it together is at most half of what is needed.
        most = self._settings.open_at / 2.0
        factor = min(1.0, most / max(most, sum(behaviour.values())))
        behaviour = {name: factor * weight for name, weight in behaviour.items()}
        nats = group.evidence + sum(behaviour.values())
        reasons = [
            Reason(f"shared_{name}", float(count), expected, weight / nats)
            for name, (count, expected, weight) in group.classes.items()
        ]
        reasons += [
            Reason(f"group_{name}", features[name], self.models.expected(name), weight / nats)
            for name, weight in behaviour.items()
        ]
        return nats, sorted(reasons, key=lambda one: (-one.share, one.feature))

    def _found(self, group: Group, now: int, nats: float, reasons: list[Reason]) -> Tracked:
        evidence = [
            Evidence(kind_name(link), text_of(link), round(weight, 3)) for link, weight in group.weights.items()
        ]
        accounts = [self.graph.accounts[name] for name in group.members]
        opened_at = min(min(one.past) for one in accounts) * HOUR_MS
        tracked = found(f"{group.anchor:x}", evidence, opened_at, now, nats, reasons)
        for one in accounts:
            # What they drew in the hour itself is counted with everybody's.
            tracked.draw(
                sum(
                    past.output_tokens
                    for hour, past in one.past.items()
                    if (hour + 1) * HOUR_MS < now - self._lateness_ms
                )
            )
        return tracked

    def _note_activity(self, here: list[Activity], hour: int) -> None:
        for activity in here:
            identity = self.campaign_of.get(activity.account_id)
            if identity is not None:
                self.tracked[identity].draw(activity.output_tokens)
                self.tracked[identity].last_hour = hour

    def _mark(self, tracked: Tracked, hour: int) -> None:
        # What the members of an hour use becomes a mark when it is mostly theirs; marks last, whatever becomes of the members.
        links: set[Link] = set()
        for name in tracked.members:
            account = self.graph.accounts.get(name)
            if account is not None and account.latest.hour == hour:
                links.update(link for link, at in account.links.items() if at == hour and _lasts(link))
        for link in links:
            users = self.graph.users[link]
            members = sorted(name for name in users if name in tracked.members)
            if link not in tracked.marks:
                members = [name for name in members if name not in tracked.marked]
            if len(members) >= _MARKS_FROM * len(users) and spans(self.graph, link, members):
                tracked.marks[link] = hour
        if hour % _DAY_HOURS == 0:
            kept = hour - _DAY_HOURS * self._settings.memory_days
            tracked.marks = {link: at for link, at in tracked.marks.items() if at >= kept}


def _lasts(link: Link) -> bool:
    # An hour in which keys were changed is past before it could mark anybody.
    return kind_name(link) != "key_rotation"
