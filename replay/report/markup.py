"""Elements of SVG and HTML in which every value is escaped."""

from __future__ import annotations

from markupsafe import Markup

from pipeline.event.harmless import harmless

#: Characters of a name that a page shows, and that it tells when one points at it.
SHOWN, TOLD = 48, 256
#: Characters of a sentence.
SENTENCE = 800


def element(tag: str, *children: str | Markup, **attributes: str | float | None) -> Markup:
    """An element; text among the children is escaped, as are the attributes, whose names have `_` for `-`.

    >>> str(element("text", "a<b", text_anchor="end"))
    '<text text-anchor="end">a&lt;b</text>'
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _value(value))
        for name, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(children)
    return Markup("<{tag}{written}>{inner}</{tag}>").format(tag=tag, written=written, inner=inner)


def percent(share: float) -> str:
    """A share as a length.

    >>> percent(0.12345)
    '12.35%'
    """
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + "%"


def shown(text: str, limit: int = SHOWN) -> str:
    """A name from events for reading: what does not print as escapes, the middle of a long one left out."""
    clean = harmless(text, 4 * limit)
    return clean if len(clean) <= limit else f"{clean[: limit * 2 // 3]}…{clean[-(limit // 3 - 1) :]}"


def _value(value: str | float) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)
