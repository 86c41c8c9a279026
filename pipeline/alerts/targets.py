"""From a target's settings to its sender."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.alerts.alertmanager import AlertmanagerSender
from pipeline.alerts.delivery import RefusedError, Sender
from pipeline.alerts.http import Poster
from pipeline.alerts.mail import MailSender
from pipeline.alerts.secrets import SecretError, read_secret
from pipeline.alerts.slack import SlackSender
from pipeline.alerts.webhook import WebhookSender
from pipeline.settings import AlertTarget


class TargetError(Exception):
    """A target cannot be used as it is set; the text is one line that says what to mend."""


def sender_of(target: AlertTarget, environ: Mapping[str, str]) -> Sender:
    """The target's sender; nothing is sent or connected to yet. Raises `TargetError`."""
    where = f"alerts target {target.name}"
    try:
        address = target.address
        if address.startswith(("file:", "env:")):
            address = read_secret(address, environ, f"{where}: address")
        secret = read_secret(target.secret, environ, f"{where}: secret")
        if target.kind == "email":
            return MailSender(target, address, secret)
        # Alertmanager is the operator's own and mostly within; the other two are at addresses that others hand over.
        private = target.allow_private or target.kind == "alertmanager"
        if target.kind == "alertmanager":
            address = address.rstrip("/").removesuffix("/api/v2/alerts") + "/api/v2/alerts"
        poster = Poster(address, timeout_s=target.timeout_s, allow_private=private)
    except SecretError as error:
        raise TargetError(str(error)) from None
    except RefusedError as error:
        raise TargetError(f"{where}: {error}") from None
    if target.kind == "alertmanager":
        return AlertmanagerSender(target, poster, secret)
    if target.kind == "slack":
        return SlackSender(target, poster)
    return WebhookSender(target, poster, secret)
