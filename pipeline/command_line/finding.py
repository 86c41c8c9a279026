"""What a check of `stillwatch doctor` found."""

from __future__ import annotations

import msgspec

OK, NOTE, WRONG = "ok", "note", "wrong"


class Finding(msgspec.Struct, frozen=True):
    """The outcome of one check; `state` is `ok`, `note` (nothing to do) or `wrong`."""

    check: str
    state: str
    detail: str
    mend: str = ""
