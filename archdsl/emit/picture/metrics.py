"""How wide a text is in Helvetica, from Adobe's font metrics: pictures are laid out without asking for a font."""

from __future__ import annotations

from archdsl.emit.picture.scene import Text

# Thousandths of the size, for the letters from the blank to the tilde.
_REGULAR = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278"
    " 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944"
    " 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500"
    " 278 556 500 722 500 500 500 334 260 334 584"
)
_BOLD = (
    "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 333 333"
    " 584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 722 667 611 722 667 944"
    " 667 667 611 333 278 333 584 556 333 556 611 556 611 556 333 611 611 278 278 556 278 889 611 611 611 611 389 556"
    " 333 611 556 778 556 556 500 389 280 389 584"
)
_OTHERS = {"×": 584, "·": 278, "→": 1000, "⌈": 384, "⌉": 384, "⌊": 384, "⌋": 384, "…": 1000}
_WIDE = 0x1100  # scripts from here on may be as wide as high


def _table(widths: str) -> dict[str, int]:
    return {chr(32 + k): int(width) for k, width in enumerate(widths.split())} | _OTHERS


_TABLES = (_table(_REGULAR), _table(_BOLD))


def width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a line, in the unit of `size`."""
    table = _TABLES[bold]
    thousandths = sum(table.get(letter) or (1000 if ord(letter) >= _WIDE else 600) for letter in text)
    return thousandths * size / 1000


def written(
    x: float, y: float, text: str, size: float, colour: str, *, bold: bool = False, anchor: str = "start"
) -> Text:
    """A line of text on its baseline."""
    return Text(x, y, text, size, width(text, size, bold=bold), colour, bold, anchor)
