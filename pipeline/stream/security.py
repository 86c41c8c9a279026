"""How the broker is spoken to: TLS and SASL, as both Kafka clients and Faust take them."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pipeline.settings import StreamSettings

T = TypeVar("T")

PASSWORD = "STILLWATCH_BROKER_PASSWORD"
PASSWORD_FILE = "STILLWATCH_BROKER_PASSWORD_FILE"


class SecurityError(ValueError):
    """A certificate, key or password cannot be used; the text is one line without secrets."""


@dataclass(frozen=True, slots=True)
class Security:
    """What a client needs beside the servers' names. The password is in no `repr`."""

    protocol: str = "PLAINTEXT"
    """`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."""
    context: ssl.SSLContext | None = None
    mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)

    def options(self) -> dict[str, Any]:
        """Arguments of aiokafka's and kafka-python's clients, which have the same names."""
        options: dict[str, Any] = {"security_protocol": self.protocol}
        if self.context is not None:
            options["ssl_context"] = self.context
        if self.mechanism:
            options["sasl_mechanism"] = self.mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password
        return options

    def credentials(self) -> Any:
        """The same as Faust's credentials; None for plain text."""
        import faust

        if self.mechanism:
            return faust.SASLCredentials(
                mechanism=self.mechanism, username=self.username, password=self.password, ssl_context=self.context
            )
        return None if self.context is None else faust.SSLCredentials(self.context)


PLAINTEXT = Security()


def security_of(settings: StreamSettings, environ: Mapping[str, str] | None = None) -> Security:
    """What the settings say, with the files read and the password from its file or the environment.

    The broker's certificate and its name are always checked. Raises `SecurityError`.
    """
    protocol = settings.security.upper()
    context = None
    if protocol.endswith("SSL"):
        context = _context(settings)
    if not protocol.startswith("SASL"):
        return Security(protocol, context)
    names = os.environ if environ is None else environ
    password = _password(settings.sasl_password_file or names.get(PASSWORD_FILE, ""), names)
    return Security(protocol, context, settings.sasl_mechanism, settings.sasl_username, password)


def _context(settings: StreamSettings) -> ssl.SSLContext:
    context = _reading("stream.ssl_ca_file", settings.ssl_ca_file, lambda: _trusting(settings.ssl_ca_file))
    if settings.ssl_certificate_file:
        _reading(
            "stream.ssl_certificate_file and stream.ssl_key_file",
            settings.ssl_certificate_file,
            # A key with a password would ask for it on the terminal.
            lambda: context.load_cert_chain(
                settings.ssl_certificate_file, settings.ssl_key_file or None, password=_no_password
            ),
        )
    return context


def _trusting(file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=file or None)


def _no_password() -> str:
    raise SecurityError(
        "stream.ssl_key_file: a key with a password is not taken; give one without, readable by its owner alone"
    )


def _reading(setting: str, file: str, action: Callable[[], T]) -> T:
    try:
        return action()
    except ssl.SSLError as error:
        raise SecurityError(
            f"{setting}: {file} holds no usable PEM: {error.reason or 'it cannot be read as one'}"
        ) from None
    except OSError as error:
        raise SecurityError(f"{setting}: {file} cannot be read: {error.strerror or error}") from None


def _password(file: str, environ: Mapping[str, str]) -> str:
    if not file:
        password = environ.get(PASSWORD, "")
        if not password:
            raise SecurityError(f"the broker wants a password: set stream.sasl_password_file or {PASSWORD}")
        return password
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise SecurityError(f"stream.sasl_password_file: {file} cannot be read: {reason}") from None
