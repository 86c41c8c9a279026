"""A POST to an address that others chose: bounded in time, never redirected, and to public addresses only unless allowed."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from pipeline.alerts.delivery import RefusedError, TryAgainError

_OK = range(200, 300)
#: Statuses that a later try may change: time-out, too early, too many requests; and every 5xx.
_PASSING = frozenset({408, 425, 429})
#: IPv4 addresses behind a translator (RFC 6052), and those of a network's own translator (RFC 8215).
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_TRANSLATED_LOCALLY = ipaddress.IPv6Network("64:ff9b:1::/48")
LONGEST_RETRY_AFTER_S = 3600.0
LONGEST_ANSWER = 1 << 16


class NotPublicError(OSError):
    """A name leads to an address of this network or this machine."""


class Poster:
    """Posts to one address; keeps a connection open between messages."""

    def __init__(self, address: str, *, timeout_s: float, allow_private: bool) -> None:
        """Raises `RefusedError` when the address is none of HTTP, or at an address that is not public and may not be."""
        parts = urlsplit(address)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise RefusedError("the address is not http://host[:port]/… or https://host[:port]/…")
        if not allow_private and _is_literal(parts.hostname) and not is_public(parts.hostname):
            raise RefusedError(_private(parts.hostname))
        self._address = address
        self._host = parts.hostname
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._allow_private = allow_private
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Post once. Raises `TryAgainError` or `RefusedError`, whose texts name the host and nothing else of the address."""
        if self._session is None:
            resolver = ThreadedResolver() if self._allow_private else PublicResolver()
            # A proxy of the environment would resolve the name by itself, so none is used.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, limit=2), trust_env=False
            )
        try:
            async with self._session.post(
                self._address, data=body, headers=dict(headers), timeout=self._timeout, allow_redirects=False
            ) as answer:
                await answer.content.read(LONGEST_ANSWER)
                status, retry_after = answer.status, answer.headers.get("Retry-After", "")
        except TimeoutError:
            raise TryAgainError(f"{self._host} did not answer within {self._timeout.total:g} s") from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, NotPublicError):
                raise RefusedError(_private(self._host)) from None
            raise TryAgainError(
                f"{self._host} cannot be reached: {error.os_error.strerror or error.os_error}"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise TryAgainError(f"{self._host}: {type(error).__name__}") from None
        if status in _OK:
            return
        if 300 <= status < 400:
            raise RefusedError(
                f"{self._host} answers {status}: redirects are not followed; give the address it leads to"
            )
        if status in _PASSING or status >= 500:
            raise TryAgainError(f"{self._host} answers {status}", _seconds(retry_after))
        raise RefusedError(f"{self._host} answers {status}")

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses those that lead to an address which is not public.

    It is the resolved address that the connection goes to, so a name that changes between a check and the connection
    (DNS rebinding) gains nothing.
    """

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """As aiohttp asks it. Raises `NotPublicError`."""
        found = await self._inner.resolve(host, port, family)
        for one in found:
            if not is_public(one["host"]):
                raise NotPublicError(_private(host))
        return found

    async def close(self) -> None:
        """Nothing is held."""
        await self._inner.close()


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet at large, IPv4 within IPv6 looked at as IPv4."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed in _TRANSLATED:
            parsed = ipaddress.IPv4Address(parsed.packed[-4:])
            return parsed.is_global and not parsed.is_multicast
        if parsed in _TRANSLATED_LOCALLY:
            return False
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return parsed.is_global and not parsed.is_multicast


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # Old forms of IPv4 (127.1, 0x7f000001, 2130706433) that resolvers still take.
        try:
            socket.inet_aton(host)
        except OSError:
            return False
    return True


def _private(host: str) -> str:
    return f"{host} is not at a public address: set allow_private = true for this target if that is meant"


def _seconds(retry_after: str) -> float | None:
    """`Retry-After` as seconds from now (RFC 9110, 10.2.3)."""
    if retry_after.isdigit():
        return min(float(retry_after[:9]), LONGEST_RETRY_AFTER_S)
    try:
        return min(max(0.0, parsedate_to_datetime(retry_after).timestamp() - time()), LONGEST_RETRY_AFTER_S)
    except (TypeError, ValueError):
        return None
