"""What boxes are called: functions, items, files, steps of pandas chains."""

from __future__ import annotations

import operator
import posixpath
import re
import reprlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dualdag.graph import Graph, Node

__all__ = ["arguments_text", "chain_text", "cut", "title_of"]

_LONGEST = 34
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _LONGEST


def cut(text: str, longest: int = _LONGEST) -> str:
    """Return text, or its beginning where it is longer.

    Examples
    --------
    >>> cut("abcdefgh", 6)
    'abc...'
    """
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def title_of(graph: Graph, group: Sequence[int]) -> str:
    """Return what to call some nodes that share a box.

    Parameters
    ----------
    graph : Graph
        Holds them.
    group : sequence of int
        Their positions.
    """
    first = graph.nodes[group[0]]
    kind = first._op.kind
    if kind in ("file", "files"):
        return _path_title([graph.nodes[i]._op.label for i in group])
    names = {graph.label(i) for i in group}
    label = names.pop() if len(names) == 1 else first._op.label
    if kind == "value":
        return cut(label if first.name else _repr.repr(first._args[0]))
    if first.name or len(group) > 1:
        return cut(label)
    if first._op.fn is operator.getitem and len(first._args) == 2:
        return cut(f"[{_repr.repr(first._args[1])}]")
    written = chain_text(first)
    return written if 0 < len(written) <= _LONGEST else cut(label)


def chain_text(node: Node[Any]) -> str:
    """Return a step of a pandas chain as it was written; empty for any other node.

    Parameters
    ----------
    node : Node
        Of a front end that writes down methods with their arguments.
    """
    if not str(getattr(node._op.fn, "__module__", "")).startswith("dualdag.frames"):
        return ""
    try:
        return ".".join([_method(*step) for step in node._args[1]])
    except (IndexError, TypeError, ValueError):  # another form than is known here
        return ""


def _method(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    inner = [_argument(arg) for arg in args] + [f"{key}={_argument(arg)}" for key, arg in kwargs.items()]
    if name == "[]":
        return f"[{', '.join(inner)}]"
    if name == "[]=":
        return f"[{inner[0]}] = {inner[1]}"
    if not name.replace(".", "").isidentifier():
        return f"{name} {' '.join(inner)}"
    if name == "read":
        return str(args[0])
    return f"{name.rpartition('.')[2]}({', '.join(inner)})"


def arguments_text(node: Node[Any]) -> str:
    """Return the arguments of a node's call; inputs by their labels.

    Parameters
    ----------
    node : Node
        A call.
    """
    plain = [_argument(arg) for arg in node._args]
    named = [f"{name}={_argument(arg)}" for name, arg in node.kwargs.items()]
    return ", ".join([*plain[:8], *(["..."] if len(plain) > 8 else []), *named])


def _argument(arg: object) -> str:
    if hasattr(type(arg), "__dualdag_node__"):
        return str(arg.label) if hasattr(arg, "label") else type(arg).__name__
    if type(arg) in (list, tuple) and isinstance(arg, (list, tuple)):
        inner = ", ".join([_argument(a) for a in arg[:3]] + ["..."] * (len(arg) > 3))
        return f"[{inner}]" if isinstance(arg, list) else f"({inner})"
    return _repr.repr(arg)


def _path_title(urls: list[str]) -> str:
    """Return what stands for some paths: the one, or their folder with what is common to their names."""
    plain = [url.replace("\\", "/") for url in urls]
    if len(plain) == 1:
        return _tail(plain[0])
    names = [posixpath.basename(url) for url in plain]
    head = re.sub(r"[0-9]+$", "", posixpath.commonprefix(names))
    tail = posixpath.commonprefix([name[::-1] for name in names])[::-1]
    pattern = f"{head}*{tail[tail.rfind('.') :] if '.' in tail else ''}"
    folders = {posixpath.dirname(url) for url in plain}
    folder = posixpath.basename(folders.pop()) if len(folders) == 1 else ""
    return _tail(f"{folder}/{pattern}" if folder else pattern)


def _tail(path: str) -> str:
    """Return the end of a path, which tells more than its beginning."""
    shown = "/".join(path.rstrip("/").split("/")[-2:]) if "://" not in path else path
    return shown if len(shown) <= _LONGEST else f"...{shown[-_LONGEST + 3 :]}"
