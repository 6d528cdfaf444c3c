"""The colours of pictures: Okabe and Ito's palette, which people with any kind of colour vision can tell apart."""

from __future__ import annotations

from typing import NamedTuple

from archdsl.failure import WrongUsage

# An outline, and a tint to fill with.
Pair = tuple[str, str]
# In the legend's order.
KINDS = ("conv", "linear", "attention", "pool", "norm", "activation", "merge", "dropout", "shape", "other", "block")
NAMES = {"conv": "convolution", "pool": "pooling", "norm": "normalisation", "shape": "reshaping"}


# In a drawing of two networks: the sign that tells without colours what became of a part, and whose colours it has.
MARKS = {"added": ("+", "pool"), "removed": ("–", "linear"), "changed": ("~", "conv"), "same": ("", "other")}


class Theme(NamedTuple):
    """ground: behind everything, empty for none; frames: in turns; kinds: kind of op -> its colours."""

    ground: str
    ink: str
    quiet: str
    line: str
    skip: str
    frame: str
    frames: tuple[str, str]
    kinds: dict[str, Pair]

    def pair(self, kind: str) -> Pair:
        """The colours of a kind of op, or of a mark; none for what is no box."""
        return self.kinds.get(MARKS[kind][1] if kind in MARKS else kind, ("", ""))


def _kinds(lines: str, fills: str) -> dict[str, Pair]:
    return dict(zip(KINDS, zip(lines.split(), fills.split(), strict=True), strict=True))


_LIGHT = Theme(
    ground="#FFFFFF",
    ink="#1A1A1A",
    quiet="#555555",
    line="#444444",
    skip="#8A8A8A",
    frame="#BBBBBB",
    frames=("#F7F7F7", "#EFEFEF"),
    kinds=_kinds(
        "#0072B2 #D55E00 #7A4A9E #009E73 #B8A800 #E69F00 #CC79A7 #777777 #56B4E9 #777777 #3D4663",
        "#CCE3F0 #F7DFCC #E5DBEC #CCECE3 #FBF7CB #FAECCC #F5E4ED #E8E8E8 #EAF6FD #F2F2F2 #EDEFF5",
    ),
)
_DARK = Theme(
    ground="#16181D",
    ink="#F2F2F2",
    quiet="#B4B8C0",
    line="#AEB2BA",
    skip="#7F858F",
    frame="#4A4F59",
    frames=("#1E2128", "#272B33"),
    kinds=_kinds(
        "#56B4E9 #F08A3C #B48AD6 #2FC79A #F0E442 #E69F00 #E39AC3 #9A9A9A #8CCBF0 #9A9A9A #D0D3D9",
        "#12384F #55290E #3A2A4C #0C4234 #45411A #4B360A #4A2C3D #33363C #1D3A4C #2B2E34 #1B1E24",
    ),
)
_PRINT = Theme(
    ground="#FFFFFF",
    ink="#000000",
    quiet="#333333",
    line="#222222",
    skip="#777777",
    frame="#888888",
    frames=("#FAFAFA", "#F2F2F2"),
    kinds=_kinds(
        "#000000 #000000 #000000 #555555 #777777 #777777 #000000 #777777 #777777 #777777 #000000",
        "#D9D9D9 #B5B5B5 #C7C7C7 #F0F0F0 #FFFFFF #E6E6E6 #FFFFFF #FFFFFF #FFFFFF #FFFFFF #FFFFFF",
    ),
)
THEMES: dict[str, Theme] = {
    "light": _LIGHT,
    "dark": _DARK,
    "print": _PRINT,
    "transparent": _LIGHT._replace(ground="", frames=("none", "none")),
}


def theme(name: str) -> Theme:
    """The colours by name. Raises WrongUsage."""
    if name not in THEMES:
        raise WrongUsage(f"there is no theme {name!r}", help=f"it is one of {', '.join(THEMES)}")
    return THEMES[name]
