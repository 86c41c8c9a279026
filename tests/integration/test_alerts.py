"""Messages on their way: a real HTTP server and a real SMTP server that answer well, badly, late or not at all."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import aiokafka
import msgspec
import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from msgspec.structs import replace

from pipeline.alerts.delivery import Outcome, deliver
from pipeline.alerts.follow import Follower, sample
from pipeline.alerts.http import is_public
from pipeline.alerts.notice import Notice
from pipeline.alerts.pace import Message
from pipeline.alerts.targets import TargetError, sender_of
from pipeline.settings import AlertTarget
from pipeline.stream.address import bootstrap_servers, free_port

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


@dataclass
class Hook:
    """What a receiver was sent, and what it answers: a status each time, the last one from then on."""

    answers: list[int | str] = field(default_factory=lambda: [204])
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    address: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "hang":
            await asyncio.sleep(30)
        if isinstance(answer, str):
            return web.Response(status=302, headers={"Location": answer})
        return web.Response(status=answer, headers={"Retry-After": "0"})


@asynccontextmanager
async def receiver(*answers: int | str) -> AsyncIterator[Hook]:
    hook = Hook(list(answers) or [204])
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hook.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    hook.address = f"http://127.0.0.1:{port}/hook/secret-path"
    try:
        yield hook
    finally:
        await runner.cleanup()


def target(hook: Hook, **changes: object) -> AlertTarget:
    base = AlertTarget(name="t", kind="webhook", address=hook.address, allow_private=True, timeout_s=0.3)
    return replace(base, **changes)


async def send(to: AlertTarget, notices: tuple[Notice, ...] = (), *, patience_s: float = 60.0) -> Outcome:
    sender = sender_of(to, {"KEY": SECRET})

    async def at_once(_: float) -> None:
        """No test waits."""

    try:
        return await deliver(Message(notices or (sample("high"),)), sender, patience_s, sleep=at_once)
    finally:
        await sender.close()


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 20))  # type: ignore[arg-type]


def test_a_webhook_is_signed_and_the_receiver_can_check_it():
    async def work() -> None:
        async with receiver() as hook:
            assert (await send(target(hook, secret="env:KEY"))).arrived
            [(path, headers, body)] = hook.requests
        assert path == "/hook/secret-path"
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(b"k" * 24, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        said = json.loads(body)
        assert said["type"] == "incident.test"
        assert said["data"]["incident"]["entity_id"] == "example-account"

    run(work)


@pytest.mark.parametrize("first", [500, 503, 429, 408, "hang"])
def test_a_target_that_fails_or_hangs_is_tried_again(first):
    async def work() -> None:
        async with receiver(first, 200) as hook:
            outcome = await send(target(hook))
            assert outcome == Outcome(True, 2)
            # The id is the same, so a receiver that had taken it before it failed can drop the second.
            assert hook.requests[0][1]["webhook-id"] == hook.requests[1][1]["webhook-id"]

    run(work)


@pytest.mark.parametrize("answer", [400, 401, 404, 410])
def test_a_target_that_refuses_is_not_asked_again(answer):
    async def work() -> None:
        async with receiver(answer) as hook:
            outcome = await send(target(hook))
            assert (outcome.arrived, outcome.attempts, len(hook.requests)) == (False, 1, 1)
            assert "secret-path" not in outcome.reason

    run(work)


def test_a_redirect_is_not_followed_wherever_it_leads():
    async def work() -> None:
        async with receiver() as inner, receiver(inner.address) as hook:
            outcome = await send(target(hook))
            assert not outcome.arrived
            assert "redirects are not followed" in outcome.reason
            assert inner.requests == []

    run(work)


def test_what_is_tried_for_too_long_is_given_up():
    async def work() -> None:
        async with receiver(500) as hook:
            outcome = await send(target(hook), patience_s=0.0)
            assert (outcome.arrived, outcome.attempts) == (False, 1)
            assert "given up" in outcome.reason

    run(work)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "2130706433", "127.1", "[::ffff:10.0.0.1]"]
)
def test_a_private_address_is_refused_before_anything_is_sent(host):
    with pytest.raises(TargetError, match="allow_private"):
        sender_of(AlertTarget(name="t", kind="slack", address=f"http://{host}:9/hook"), {})


def test_a_name_that_leads_to_a_private_address_is_refused_when_it_is_resolved():
    async def work() -> None:
        async with receiver() as hook:
            named = hook.address.replace("127.0.0.1", "localhost")
            outcome = await send(target(hook, address=named, allow_private=False))
            assert not outcome.arrived
            assert "not at a public address" in outcome.reason
            assert hook.requests == []

    run(work)


PUBLIC = ("1.1.1.1", "2606:4700::1111", "64:ff9b::101:101")
PRIVATE = (
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "fe80::1%eth0",
    "64:ff9b:1::a00:1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "x",
)


@pytest.mark.parametrize(("address", "public"), [(one, True) for one in PUBLIC] + [(one, False) for one in PRIVATE])
def test_public_addresses(address, public):
    assert is_public(address) == public


def test_slack_gets_plain_text_in_which_a_hostile_name_is_no_mention():
    async def work() -> None:
        async with receiver() as hook:
            one = sample("high")
            hostile = Notice(one.id, "opened", replace(one.incident, entity_id="<!channel>", summary="<!channel> *x*"))
            assert (await send(target(hook, kind="slack"), (hostile,))).arrived
            assert (await send(target(hook, kind="slack"), (hostile,) * 60)).arrived
            first, many = (json.loads(body) for _, _, body in hook.requests)
        assert first["blocks"][0]["text"] == {
            "type": "plain_text",
            "text": "[high] opened: <!channel> *x*",
            "emoji": False,
        }
        assert "<" not in first["text"]
        assert len(many["blocks"]) == 41
        assert many["blocks"][-1]["text"]["text"].startswith("and 20 more")

    run(work)


def test_alertmanager_gets_one_alert_an_incident_and_its_end():
    async def work() -> None:
        async with receiver() as hook:
            to = target(
                hook, kind="alertmanager", address=hook.address.replace("/hook/secret-path", "/am"), secret="env:KEY"
            )
            one = sample("high")
            changes = [
                Notice(f"i.{version}", event, one.incident) for version, event in enumerate(("opened", "closed"))
            ]
            assert (await send(to, (changes[0],))).arrived
            assert (await send(to, (changes[1],))).arrived
            paths, headers, bodies = zip(*hook.requests, strict=True)
        assert set(paths) == {"/am/api/v2/alerts"}
        assert headers[0]["Authorization"] == f"Bearer {SECRET}"
        opened, closed = (json.loads(body)[0] for body in bodies)
        assert opened["labels"] == closed["labels"]
        assert opened["labels"]["alertname"] == "StillwatchIncident"
        assert opened["endsAt"] > closed["endsAt"]

    run(work)


class Inbox:
    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 # the name aiosmtpd calls
        if self.answer.startswith("250"):
            self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return self.answer


def test_mail_arrives_whole_with_a_subject_that_a_hostile_name_cannot_break():
    inbox = Inbox()
    server = Controller(inbox, hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        to = AlertTarget(
            name="m",
            kind="email",
            address=f"smtp://127.0.0.1:{server.port}",
            sender="still@example.org",
            to=("a@example.org", "b@example.org"),
        )
        one = sample("high")
        hostile = Notice(one.id, "opened", replace(one.incident, summary="x\r\nBcc: evil@example.org\r\n\r\nü"))
        assert asyncio.run(send(to, (hostile,))).arrived
        [(recipients, mail)] = inbox.mails
        assert recipients == ["a@example.org", "b@example.org"]
        assert (mail["From"], mail["Bcc"]) == ("still@example.org", None)
        assert mail["Subject"] == r"Stillwatch [high] opened: x\r\nBcc: evil@example.org\r\n\r\nü"
        assert mail.get_content().strip() == r"[high] opened: x\r\nBcc: evil@example.org\r\n\r\nü"
        inbox.answer = "550 no"
        refused = asyncio.run(send(to))
        assert (refused.arrived, refused.attempts) == (False, 1)
        inbox.answer = "451 later"
        given_up = asyncio.run(send(to, patience_s=0.0))
        assert "given up" in given_up.reason
    finally:
        server.stop()


def test_secrets_come_from_a_file_or_the_environment_and_errors_do_not_show_them(tmp_path: Path):
    file = tmp_path / "url"
    file.write_text("ftp://hooks.example/very-secret\n")
    with pytest.raises(TargetError) as wrong:
        sender_of(AlertTarget(name="t", kind="slack", address=f"file:{file}"), {})
    assert "very-secret" not in str(wrong.value)
    for reference, message in (("env:NOT_THERE", "NOT_THERE"), (f"file:{tmp_path}/none", "cannot be read")):
        with pytest.raises(TargetError, match=message):
            sender_of(AlertTarget(name="t", kind="webhook", address="https://1.1.1.1/", secret=reference), {})


def test_a_target_goes_on_where_it_was_and_tells_nothing_twice(fresh_topics):
    """Three changes, a restart, repetitions and a poison record, two more: each change is told once, in order."""
    stream = fresh_topics()
    servers = bootstrap_servers(stream.broker)
    base = replace(sample("high").incident, incident_id="i-1")
    opened, grown = base, replace(base, version=2, severity="critical")
    ended = replace(grown, version=3, status="closed", closed_at=1)

    async def publish(*values: bytes) -> None:
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=servers)
        await producer.start()
        for value in values:
            await producer.send_and_wait(stream.incidents_topic, value, key=b"i-1")
        await producer.stop()

    async def follow(hook: Hook) -> Follower:
        to = target(hook, timeout_s=5.0)
        follower = Follower(
            to,
            sender_of(to, {}),
            servers=servers,
            topic=stream.incidents_topic,
            group=stream.group,
            session_timeout_s=6.0 if "127.0.0.1" not in servers[0] else 2.0,
            from_beginning=True,
            say=lambda line: said.append(line),
        )
        await follower.run(until_idle_s=4.0)
        return follower

    said: list[str] = []
    encode = msgspec.json.encode

    async def work() -> None:
        async with receiver() as hook:
            await publish(encode(opened), encode(opened), b"\xff{", encode(grown))
            first = await follow(hook)
            await publish(encode(grown), encode(ended))
            second = await follow(hook)
            assert (first.delivered, second.delivered) == (2, 1)
            types = [json.loads(body)["type"] for _, _, body in hook.requests]
            assert types == ["incident.opened", "incident.escalated", "incident.closed"]
            assert sum("is no incident" in line for line in said) >= 1

    asyncio.run(asyncio.wait_for(work(), 60))
