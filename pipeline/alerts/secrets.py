"""Secrets and secret addresses, from a file or the environment, never from the settings themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class SecretError(Exception):
    """A secret cannot be had; the text is one line without the secret."""


def read_secret(reference: str, environ: Mapping[str, str], where: str) -> str:
    """What `file:PATH` or `env:NAME` refers to, without the line's end; empty for an empty reference.

    `where` names the setting in errors. Raises `SecretError`.
    """
    kind, _, name = reference.partition(":")
    if not reference:
        return ""
    if kind == "env":
        if not environ.get(name):
            raise SecretError(f"{where}: the environment has no {name}: set it, or use file:PATH")
        return environ[name]
    try:
        text = Path(name).read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SecretError(f"{where}: file {name} cannot be read: {reason}") from None
    if not text or "\n" in text:
        raise SecretError(f"{where}: file {name} must hold one line")
    return text
