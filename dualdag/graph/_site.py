"""Places in the user's code."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import CodeType, FrameType

__all__ = ["Site", "caller_site"]


@dataclass(frozen=True, slots=True)
class Site:
    """A line of the user's code.

    Parameters
    ----------
    file : str
        File name as Python knows it; ``<stdin>`` and the like for code without a file.
    line : int
        Line number, from 1.
    function : str
        Name of the function the line is in; ``<module>`` at the top level.
    """

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


UNKNOWN = Site("<unknown>", 0, "<unknown>")

# A call site runs many times (a loop that builds nodes): looking up its line is slow, so sites are
# interned by the instruction that calls.  None marks code of dualdag itself, which is looked through.
_sites: dict[tuple[CodeType, int], Site | None] = {}


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__") or ""
    if not isinstance(name, str) or name.startswith("dualdag.testing"):  # suites build graphs as users do
        return False
    return name == "dualdag" or name.startswith(("dualdag.", "dualdag_"))


def caller_site(depth: int = 2) -> Site:
    """Return the nearest line up the stack that is not dualdag's own.

    Parameters
    ----------
    depth : int
        How many frames to skip first; 2 is the caller of the caller of this function.
    """
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        place = (frame.f_code, frame.f_lasti)
        try:
            site = _sites[place]
        except KeyError:
            code = frame.f_code
            site = None if _is_ours(frame) else Site(code.co_filename, frame.f_lineno, code.co_name)
            _sites[place] = site
        if site is not None:
            # Code is equal wherever it is written: the same module may lie in two folders.
            code = frame.f_code
            return site if site.file == code.co_filename else Site(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back
    return UNKNOWN
