"""Slack's incoming webhooks, and what takes their format (Mattermost, Rocket.Chat, Discord's /slack)."""

from __future__ import annotations

import msgspec

from pipeline.alerts.http import Poster
from pipeline.alerts.notice import link_of, text_of
from pipeline.alerts.pace import Message
from pipeline.settings import AlertTarget

#: Slack takes 50 blocks of 3,000 characters.
MOST_BLOCKS = 40
LONGEST_BLOCK = 2900


class SlackSender:
    """Posts blocks of plain text, in which Slack reads neither mentions nor links nor marks."""

    def __init__(self, target: AlertTarget, poster: Poster) -> None:
        self._target = target
        self._poster = poster

    async def send(self, message: Message) -> None:
        """Send once. Raises `TryAgainError` or `RefusedError`."""
        texts = [self._text(index, message) for index in range(min(len(message.notices), MOST_BLOCKS))]
        left_out = message.left_out + len(message.notices) - len(texts)
        if left_out:
            texts.append(f"and {left_out} more: see `stillwatch incidents`")
        blocks = [
            {"type": "section", "text": {"type": "plain_text", "text": text[:LONGEST_BLOCK], "emoji": False}}
            for text in texts
        ]
        first = texts[0] if len(texts) == 1 else f"{len(message.notices) + message.left_out} changes of incidents"
        body = {"text": escaped(first), "blocks": blocks}
        await self._poster.post(msgspec.json.encode(body), {"Content-Type": "application/json"})

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _text(self, index: int, message: Message) -> str:
        notice = message.notices[index]
        link = link_of(notice, self._target)
        text = text_of(notice, self._target)
        return f"{text} {link}" if link and link not in text else text


def escaped(text: str) -> str:
    """Text for where Slack reads marks: `&`, `<` and `>` are what mentions and links are made with."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
