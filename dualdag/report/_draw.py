"""Pictures of graphs: DOT, Mermaid, SVG, PNG, HTML."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from dualdag.errors import BackendNotInstalledError, ConfigError, did_you_mean
from dualdag.report._boxes import Picture, picture_of
from dualdag.report._dot import dot_text, plain_text
from dualdag.report._layout import distance, layouts_of
from dualdag.report._palette import EDGE, STYLES, TEXT, dark_css

if TYPE_CHECKING:
    from dualdag.graph import Graph
    from dualdag.planning import Plan
    from dualdag.report._boxes import Box

__all__ = ["FORMATS", "draw"]

#: Endings of files that `draw` makes.
FORMATS = ("svg", "html", "dot", "mmd", "png")

_SECONDS = 120
#: Up to so many boxes both directions are tried.
_TRIED = 600
_SIZE = re.compile(r'viewBox="[0-9.]+ [0-9.]+ ([0-9.]+) ([0-9.]+)"')


def draw(graph: Graph, plan: Plan | None = None, format: str = "svg", *, title: str = "") -> bytes:
    """Return a picture of a graph, coloured by what a plan says.

    Parameters
    ----------
    graph : Graph
        What to draw; steps that repeat are one box where there are many.
    plan : Plan or None
        What would be done about each node.
    format : {"svg", "html", "dot", "mmd", "png"}
        DOT and Mermaid are text for other programs; HTML is one page that needs nothing else.
    title : str
        Stands above the picture.

    Returns
    -------
    bytes
        What to write to a file.

    Raises
    ------
    ConfigError
        For another format.
    BackendNotInstalledError
        When Graphviz is needed and not there.

    Examples
    --------
    >>> import dualdag as dag
    >>> from dualdag.graph import compile_graph
    >>> node = dag.task(len)([1, 2]).artifact("size")
    >>> "n0[" in draw(compile_graph([node]), format="mmd").decode()
    True
    """
    if format not in FORMATS:
        raise ConfigError(f"there is no picture format {format!r}.{did_you_mean(format, FORMATS)}")
    picture = picture_of(graph, plan, title=title)
    if format == "mmd":
        return _mermaid(picture).encode()
    if format == "dot":
        return dot_text(picture, layouts_of(picture)[0]).encode()
    dot, svg = _best(picture)
    if format == "png":
        return _laid_out(dot, "png")
    svg = _styled(svg)
    return (svg if format == "svg" else _page(picture, svg)).encode()


def _best(picture: Picture) -> tuple[str, str]:
    """Return DOT and SVG in the direction that comes nearest to the shape of a window."""
    few = len(picture.boxes) <= _TRIED
    found = []
    for layout in layouts_of(picture)[: 2 if few else 1]:
        dot = dot_text(picture, layout)
        svg = _laid_out(dot, "svg").decode()
        size = _SIZE.search(svg)
        shape = float(size[1]) / max(float(size[2]), 1.0) if size else 1.0
        found.append((distance(shape), dot, svg))
    return min(found)[1:]


def _command() -> str:
    """Return Graphviz: beside this Python first, as a virtual environment need not be on the path."""
    ending = ".exe" if sys.platform == "win32" else ""
    beside = Path(sys.executable).parent / f"graphviz-pure{ending}"
    found = str(beside) if beside.is_file() else shutil.which("graphviz-pure") or shutil.which("dot")
    if found is None:
        raise BackendNotInstalledError(
            "drawing needs Graphviz, which is not installed: pip install graphviz-pure "
            "(or name a .dot or .mmd file, which need nothing)"
        )
    return found


def _laid_out(dot: str, format: str) -> bytes:
    command = [_command(), f"-T{format}", "-q"]
    done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603
    if done.returncode or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip()[-500:]
        raise BackendNotInstalledError(f"{command[0]} failed with status {done.returncode}: {said}")
    return done.stdout


def _styled(svg: str) -> str:
    """Return the drawing from its first tag, with a style sheet for dark screens."""
    svg = svg[svg.index("<svg") :]
    head, _, rest = svg.partition(">")
    return f"{head}>\n<style>@media (prefers-color-scheme: dark) {{\n{dark_css()}\n}}</style>{rest}"


def _page(picture: Picture, svg: str) -> str:
    """Return the page around a drawing: pan, zoom, search and details."""
    page = files("dualdag.report").joinpath("graph.html").read_text(encoding="utf-8")
    data = {
        f"n{k}": {"title": plain_text(box.title), "facts": [[n, plain_text(t)] for n, t in box.facts.items()]}
        for k, box in enumerate(picture.boxes)
    }
    # "<" as an escape: no text of a user's can end the script that holds it.
    parts = {"TITLE": escape(plain_text(picture.title or "dualdag")), "SVG": svg,
             "DATA": json.dumps(data).replace("<", "\\u003c")}  # fmt: skip
    for name, text in parts.items():
        page = page.replace(f"<!--{name}-->", text, 1)
    return page


def _mermaid(picture: Picture) -> str:
    lines = ["flowchart LR"]
    for k, box in enumerate(picture.boxes):
        title = _entities(box.title)
        text = "<br/>".join([f"<b>{title}</b>" if box.artifact else title, *map(_entities, box.lines)])
        left, right = {"task": ("[", "]"), "file": ("[/", "/]"), "value": ("(", ")")}[box.kind]
        lines.append(f'  n{k}{left}"{text}"{right}:::{_class(box)}')
    lines += [f"  n{a} --> n{b}" for a, b in picture.edges]
    for action, style in STYLES.items():
        dash = ",stroke-dasharray:4 3" if style.border == "dashed" else ""
        look = f"fill:{style.fill},stroke:{style.line},color:{TEXT[0]}{dash}"
        lines.append(f"  classDef {action or 'none'} {look}")
    lines.append(f"  linkStyle default stroke:{EDGE[0]}")
    return "\n".join([*lines, ""])


def _class(box: Box) -> str:
    return "input" if box.kind != "task" else box.action or "none"


def _entities(text: str) -> str:
    """Return text with everything that means something to Mermaid as character codes."""
    return "".join(c if c.isalnum() or c in " _.,:=/-+" else f"#{ord(c)};" for c in plain_text(text)) or " "
