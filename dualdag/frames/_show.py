"""How lazy objects look: their schema, and the first rows where that was asked for."""

from __future__ import annotations

import html
from typing import Any

from dualdag.graph import Node, compile_graph

__all__ = ["explained", "shown", "shown_html"]

_ROWS = 5
_COLUMNS = 20


def _first_rows(self: Any) -> Any:
    from dualdag.config import settings

    if not settings().interactive:
        return None
    table = self._handle.kind in ("frame", "series")
    return (self.head(_ROWS) if table else self).compute()


def _heading(self: Any) -> str:
    handle = self._handle
    kind = type(self).__name__
    return f"<lazy {kind} {handle.node.label} {handle.node.key[-40:-30]}>"


def _schema(self: Any) -> list[tuple[str, str]]:
    """Return names and types that are known; a type that is not sure is a question mark."""
    meta = self._handle.meta
    if meta is None:
        return []
    if self._handle.kind == "frame":
        types = [str(t) if meta.exact else "?" for t in meta.obj.dtypes]
        return list(zip(map(str, meta.obj.columns), types, strict=True))
    if self._handle.kind == "series":
        return [(str(meta.obj.name), str(meta.obj.dtype) if meta.exact else "?")]
    return []


def shown(self: Any) -> str:
    """Return the text of a lazy object; it never fails and, unless asked to, never runs anything."""
    try:
        rows = _first_rows(self)
        if rows is not None:
            return f"{rows!r}\n{_heading(self)}"
        lines = [_heading(self)]
        schema = _schema(self)
        width = max((len(name) for name, _ in schema[:_COLUMNS]), default=0)
        lines += [f"  {name:<{width}}  {kind}" for name, kind in schema[:_COLUMNS]]
        if len(schema) > _COLUMNS:
            lines.append(f"  and {len(schema) - _COLUMNS} more")
        return "\n".join(lines)
    except Exception as error:  # noqa: BLE001 - looking at a thing must not fail
        return f"<lazy {type(self).__name__}: {type(error).__name__}: {error}>"


def shown_html(self: Any) -> str:
    """Return the HTML of a lazy object, as `shown`."""
    try:
        rows = _first_rows(self)
        heading = f"<p><code>{html.escape(_heading(self))}</code></p>"
        if rows is not None:
            to_html = getattr(rows, "_repr_html_", None)
            body = to_html() if to_html is not None else f"<pre>{html.escape(repr(rows))}</pre>"
            return f"{body}{heading}"
        cells = [
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(kind)}</td></tr>"
            for name, kind in _schema(self)[:_COLUMNS]
        ]
    except Exception as error:  # noqa: BLE001 - looking at a thing must not fail
        return f"<pre>{html.escape(f'{type(error).__name__}: {error}')}</pre>"
    told = "".join(cells)
    return f"{heading}<table><tr><th>column</th><th>type</th></tr>{told}</table>" if told else heading


def explained(node: Node[Any]) -> str:
    """Return the ops above a node, inputs first, one a line."""
    graph = compile_graph([node])
    lines = []
    for i, one in enumerate(graph.nodes):
        told = ", ".join(f"#{j}" for j in dict.fromkeys(graph.inputs[i]))
        if one.op.kind != "call":
            how = "input"
        elif (one.fn is not None and one.fn.__module__) == "dualdag.frames._kernels":
            how = "pandas's own on one partition"
        else:
            how = "task"
        lines.append(f"#{i} {graph.label(i)}({told}): {how}")
    return "\n".join(lines)
