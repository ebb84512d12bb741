"""Colours of pictures: each has one meaning, so that a style sheet can turn it into its dark twin."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BACKGROUND", "EDGE", "LEGEND", "STYLES", "TEXT", "TEXT_SMALL", "Style", "dark_css"]


class Style(NamedTuple):
    """How boxes of one action look.

    Parameters
    ----------
    fill, line : str
        Colours on a light ground.
    dark_fill, dark_line : str
        Colours on a dark one.
    border : str
        Kind of line, so that colour is not all that tells.
    """

    fill: str
    line: str
    dark_fill: str
    dark_line: str
    border: str = "solid"


BACKGROUND = ("#ffffff", "#15181d")
TEXT = ("#1d2430", "#e9ecf1")
TEXT_SMALL = ("#5a6473", "#a9b3c1")
EDGE = ("#8a94a3", "#77818f")

#: By action; "input" is for files and values.
STYLES = {
    "run": Style("#ffe3c2", "#cc6a00", "#5b3608", "#ffa54a", "bold"),
    "check": Style("#fff6cc", "#a88600", "#463c0c", "#e3c334", "dashed"),
    "pinned": Style("#dde8fd", "#3a64bd", "#1c3565", "#82aefc"),
    "reuse": Style("#d8f0df", "#2f8a4c", "#173f26", "#62c684"),
    "": Style("#f0f1f4", "#99a1ad", "#2a2f37", "#7b8491"),
    "input": Style("#fafbfd", "#a3abb8", "#1d2127", "#6c7583"),
}

#: What each action means, in the order of the legend.
LEGEND = {
    "run": "run",
    "check": "check: runs only if an input changes",
    "pinned": "pinned: not due",
    "reuse": "reuse",
    "": "not looked at",
}


def dark_css() -> str:
    """Return rules that turn each colour into its dark twin, wherever a drawing uses it."""
    pairs = [BACKGROUND, TEXT, TEXT_SMALL, EDGE]
    for style in STYLES.values():
        pairs += [(style.fill, style.dark_fill), (style.line, style.dark_line)]
    return "\n".join(f'[fill="{light}"]{{fill:{dark}}} [stroke="{light}"]{{stroke:{dark}}}' for light, dark in pairs)
