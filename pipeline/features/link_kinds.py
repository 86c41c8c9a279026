"""The kinds of links between accounts: their order, how many values of each an account is remembered with, and their classes."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.event.address import network_text

#: Later than this no calendar goes.
_LAST_S = 253_402_300_800

#: Values of each kind that an account is remembered with; kinds without any are derived.
_SLOTS = {
    "system_prompt": 4,
    # Four bands of 16 bits for each of six templates, and room for what comes once.
    "family": 28,
    "payment": 2,
    "address_prefix": 6,
    "network_program": 3,
    "api_key": 3,
    "key_rotation": 1,
    "signup": 0,
}
KINDS = tuple(_SLOTS)
KIND_SLOTS = tuple(_SLOTS.values())
FAMILY, PAYMENT, NETWORK, ROTATION, SIGNUP = (
    KINDS.index(name) for name in ("family", "payment", "network_program", "key_rotation", "signup")
)
#: Kinds of one class can have one cause, so together they count as one kind of evidence.
CLASSES = {
    "system_prompt": "content",
    "family": "content",
    "payment": "billing",
    "api_key": "billing",
    "address_prefix": "network",
    "network_program": "network",
    "key_rotation": "timing",
    "signup": "timing",
}
CLASS_OF = tuple(CLASSES[kind] for kind in KINDS)


def value_text(kind: int, value: int) -> str:
    """A link's value for people.

    A family is a band of the simhash: its place among the four from the right, and its digits. Hashes of texts are those of
    `pipeline.event.hashing`, a program's the last half of it.
    """
    name = KINDS[kind]
    if name == "family":
        return f"{value >> 32}:{value & 0xFFFF:04x}"
    if name == "address_prefix":
        return network_text(value)
    if name == "network_program":
        return f"AS{value >> 32} {value & 0xFFFFFFFF:08x}"
    if name in ("signup", "key_rotation"):
        return datetime.fromtimestamp(value * 3600 % _LAST_S, UTC).strftime("%Y-%m-%d %H:00")
    return f"{value:016x}"
