"""Addresses of clients replaced by keyed hashes that still tell which are equal, and which are of one network.

A hashed address has the form of an IPv6 address of a private network (fd00::/8, RFC 4193): 40 bits are the hash of its network
(/24 of IPv4, /48 of IPv6), 80 bits that of the whole. So what counts and compares addresses and networks works as before, an
address that is hashed already is known by its form and stays, and without the key nobody can try all addresses. Who has it can.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import msgspec

from pipeline.event.address import network_of
from pipeline.event.api_call import ApiCall
from pipeline.event.reject import Rejected

#: Characters that a key has at least.
SHORTEST_KEY = 16
_LONGEST_KEY = 64
_NETWORK_BYTES, _HOST_BYTES = 5, 10
_PRIVATE = 0xFD
#: What is no address (a name, a hash that a sender made) becomes this and 32 digits.
_OTHER = re.compile(r"x-[0-9a-f]{32}")
#: What may be an address within a text; `ip_address` has the last word.
_CANDIDATE = re.compile(
    r"(?<![\w.])(?:\d{1,3}(?:\.\d{1,3}){3}|(?<!:)[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}(?!:))(?!\w|\.\d)"
)


class AddressKeyError(Exception):
    """The key of the hashes is not there or too short; the text is one line."""


@lru_cache
def address_key(file: str) -> bytes:
    """The key in `file`, else in STILLWATCH_ADDRESS_KEY. Raises `AddressKeyError`."""
    where = file or "STILLWATCH_ADDRESS_KEY"
    try:
        text = Path(file).read_text().strip() if file else os.environ.get("STILLWATCH_ADDRESS_KEY", "")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise AddressKeyError(f"key file {file} cannot be read: {reason}: mend event.address_key_file") from None
    if len(text) < SHORTEST_KEY:
        raise AddressKeyError(
            f"event.hash_addresses needs a key of {SHORTEST_KEY} characters or more, {where} has {len(text)}: "
            "set STILLWATCH_ADDRESS_KEY or event.address_key_file, the same for all that send and read"
        )
    key = text.encode()
    return key if len(key) <= _LONGEST_KEY else blake2b(key).digest()


@lru_cache(maxsize=1 << 16)
def pseudonym(text: str, key: bytes) -> str:
    """The hash of an address, or of what is given as one; of a hash, the hash itself."""
    if _OTHER.fullmatch(text):
        return text
    try:
        address = ip_address(text)
    except ValueError:
        return f"x-{_hash(text.encode(), key, b'other', 16).hex()}"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if _is_pseudonym(address):
        return str(address)
    network = _hash(network_of(str(address)).to_bytes(8), key, b"network", _NETWORK_BYTES)
    host = _hash(address.packed, key, b"address", _HOST_BYTES)
    return str(IPv6Address(bytes((_PRIVATE,)) + network + host))


def without_addresses(result: ApiCall | Rejected, key: bytes) -> ApiCall | Rejected:
    """An event, or what could not be one, with hashes for addresses: the client's, and those in attributes or the raw text."""
    if isinstance(result, Rejected):
        raw = _replaced(result.raw.decode("utf-8", "surrogateescape"), key).encode("utf-8", "surrogateescape")
        return msgspec.structs.replace(result, raw=raw, detail=_replaced(result.detail, key))
    if result.client_ip is not None:
        result.client_ip = pseudonym(result.client_ip, key)
    if result.attributes:
        result.attributes = {name: _replaced(value, key) for name, value in result.attributes.items()}
    return result


def _replaced(text: str, key: bytes) -> str:
    def one(found: re.Match[str]) -> str:
        try:
            ip_address(found.group())
        except ValueError:
            return found.group()
        return pseudonym(found.group(), key)

    return _CANDIDATE.sub(one, text)


def _is_pseudonym(address: IPv4Address | IPv6Address) -> bool:
    return address.version == 6 and address.packed[0] == _PRIVATE


def _hash(data: bytes, key: bytes, purpose: bytes, size: int) -> bytes:
    return blake2b(data, key=key, person=purpose, digest_size=size).digest()
