"""The network that an address belongs to, as a number: what a household, an office or a rented server shares."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

#: Bits of an address that name its network: /24 of IPv4, /48 of IPv6, the smallest that are routed on the Internet.
_BITS = {4: 24, 6: 48}
_VERSION_SHIFT = 56


@lru_cache(maxsize=1 << 16)
def network_of(address: str | None) -> int:
    """The network of `address`: its version in the highest byte, its prefix in the rest; 0 for what is no address."""
    if address is None:
        return 0
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return 0
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return (parsed.version << _VERSION_SHIFT) | (int(parsed) >> (parsed.max_prefixlen - _BITS[parsed.version]))


def network_text(network: int) -> str:
    """The network in the usual notation: `203.0.113.0/24`, `2001:db8:1::/48`."""
    version = network >> _VERSION_SHIFT
    prefix = network & ((1 << _VERSION_SHIFT) - 1)
    if version == 4:
        return f"{IPv4Address(prefix << 8)}/24"
    return f"{IPv6Address(prefix << 80)}/48"
