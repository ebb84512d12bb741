"""Names that expressions such as ``df.query("x > @limit")`` take from the code around them."""

from __future__ import annotations

import re
import sys
from types import FrameType, SimpleNamespace
from typing import Any

__all__ = ["local_names"]

_MARKED = re.compile(r"@([A-Za-z_]\w*)")
_DOTTED = re.compile(r"@([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)+)(?!\w*\()")
_WORD = re.compile(r"(?<![\w.@])([A-Za-z_]\w*)")
_TEXT = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")


def local_names(expr: str, *, marked: bool) -> dict[str, Any]:
    """Return the variables of the user's code that an expression names.

    Parameters
    ----------
    expr : str
        The expression.
    marked : bool
        Whether variables are marked with ``@``, as in ``query``; else any word may be one.
    """
    names = set((_MARKED if marked else _WORD).findall(_TEXT.sub("", expr)))
    frame = _users_frame()
    found: dict[str, Any] = {}
    for name in sorted(names):
        for scope in (frame.f_locals, frame.f_globals) if frame is not None else ():
            if name in scope:
                found[name] = scope[name]
                break
    for name, path in _DOTTED.findall(expr) if marked else ():
        if name in found:
            found[name] = _narrowed(found[name], path[1:].split("."))
    return found


def _narrowed(obj: Any, path: list[str]) -> Any:
    """Return an object with what one attribute of `obj` holds: the rest of it does not count."""
    value = obj
    for part in path:
        value = getattr(value, part)
    for part in reversed(path):
        value = SimpleNamespace(**{part: value})
    return value


def _users_frame() -> FrameType | None:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name != "dualdag" and not name.startswith("dualdag."):
            return frame
        frame = frame.f_back
    return None
