"""Text that came from outside, made fit to be shown to people."""

from __future__ import annotations

LONGEST = 120


def harmless(text: str, limit: int = LONGEST) -> str:
    """`text` with what does not print (control characters, changes of direction) written as escapes, cut to `limit`.

    >>> harmless("a\\x1b[31mb\\u202e")
    'a\\\\x1b[31mb\\\\u202e'
    """
    clean = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[: limit + 1]
    )
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
