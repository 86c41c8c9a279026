"""E-mail by SMTP, in the clear, with STARTTLS, or with TLS from the start."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from pipeline.alerts.delivery import RefusedError, TryAgainError
from pipeline.alerts.notice import link_of, text_of
from pipeline.alerts.pace import Message
from pipeline.event.harmless import harmless
from pipeline.settings import AlertTarget

_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
LONGEST_SUBJECT = 150


class MailSender:
    """Sends plain text; a mail has the message's id, so that clients thread and drop repeats."""

    def __init__(self, target: AlertTarget, address: str, secret: str) -> None:
        """Raises `RefusedError` when the address is none of SMTP."""
        parts = urlsplit(address)
        if parts.scheme not in _PORTS or not parts.hostname or parts.password is not None:
            raise RefusedError("the address is not smtp://, smtp+starttls:// or smtps://[user@]host[:port]")
        self._target = target
        self._scheme = parts.scheme
        self._host = parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._user = unquote(parts.username or "")
        self._secret = secret
        if self._user and self._scheme == "smtp":
            raise RefusedError("a password is not sent in the clear: use smtp+starttls:// or smtps://")

    async def send(self, message: Message) -> None:
        """Send once. Raises `TryAgainError` or `RefusedError`."""
        # smtplib blocks; each of its steps has the target's time-out.
        await asyncio.to_thread(self._send, self._mail(message))

    async def close(self) -> None:
        """Nothing is held: each message has a connection of its own."""

    def _mail(self, message: Message) -> EmailMessage:
        texts = [text_of(one, self._target) for one in message.notices]
        links = [link_of(one, self._target) for one in message.notices]
        lines = [f"{text}\n{link}".rstrip() for text, link in zip(texts, links, strict=True)]
        if message.left_out:
            lines.append(f"and {message.left_out} more: see stillwatch incidents")
        mail = EmailMessage()
        several = len(message.notices) + message.left_out
        subject = texts[0] if several == 1 else f"{several} changes of incidents"
        # A template may have lines; a subject is one.
        mail["Subject"] = "Stillwatch " + harmless(" ".join(subject.split()), LONGEST_SUBJECT)
        mail["From"] = self._target.sender
        mail["To"] = ", ".join(self._target.to)
        mail["Date"] = formatdate(usegmt=True)
        mail["Message-ID"] = f"<{message.id}@stillwatch>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content("\n\n".join(lines) + "\n")
        return mail

    def _send(self, mail: EmailMessage) -> None:
        try:
            with self._connect() as server:
                if self._scheme == "smtp+starttls":
                    server.starttls(context=ssl.create_default_context())
                if self._user:
                    server.login(self._user, self._secret)
                refused = server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            raise _by_code(self._host, min((code for code, _ in error.recipients.values()), default=550)) from None
        except smtplib.SMTPResponseException as error:
            raise _by_code(self._host, error.smtp_code) from None
        except ssl.SSLCertVerificationError as error:
            raise RefusedError(f"{self._host}: its certificate is not trusted: {error.verify_message}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise TryAgainError(f"{self._host}: {getattr(error, 'strerror', None) or type(error).__name__}") from None
        if refused:
            raise RefusedError(f"{self._host} refuses {len(refused)} of {len(self._target.to)} recipients")

    def _connect(self) -> smtplib.SMTP:
        timeout = self._target.timeout_s
        if self._scheme == "smtps":
            return smtplib.SMTP_SSL(self._host, self._port, timeout=timeout, context=ssl.create_default_context())
        return smtplib.SMTP(self._host, self._port, timeout=timeout)


def _by_code(host: str, code: int) -> Exception:
    # 4xx are passing faults, 5xx lasting ones (RFC 5321, 4.2.1).
    if 500 <= code < 600:
        return RefusedError(f"{host} answers {code}")
    return TryAgainError(f"{host} answers {code}")
