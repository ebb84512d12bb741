"""`dualdag graph`: a picture of a flow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualdag.cli._command import Answer
from dualdag.errors import DualdagError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dualdag.graph import Graph, Node
    from dualdag.planning import Plan

__all__ = ["of_graph"]


def of_graph(flow: str, chosen: Mapping[str, Node[Any]], *, store: str | None, output: str | None) -> Answer:
    """Draw artifacts and what they are made of.

    Parameters
    ----------
    flow : str
        The title.
    chosen : mapping of str to Node
        What is drawn.
    store : str or None
        Of the plan that colours it.
    output : str or None
        The file; None for DOT on standard output.
    """
    from dualdag.graph import compile_graph
    from dualdag.report import FORMATS, draw

    ending = Path(output).suffix.lstrip(".").lower() if output else "dot"
    if ending not in FORMATS:
        endings = ", ".join(f".{name}" for name in FORMATS)
        raise click.UsageError(f"-o {output}: the ending says what is drawn; use one of {endings}.")
    compiled = compile_graph(chosen.values())
    plan = _plan(chosen, store)
    graph = compiled if plan is None else plan.graph
    drawn = draw(graph, plan, ending, title=Path(flow).name)
    if output is None:
        return Answer(_document(graph, plan), lambda: _print(drawn))
    _write(Path(output), drawn)
    document = {"file": output, "nodes": len(graph), "counts": {} if plan is None else plan.counts}
    return Answer(document, lambda: click.echo(f"drawn: {output}"))


def _plan(chosen: Mapping[str, Node[Any]], store: str | None) -> Plan | None:
    """Return the plan; a picture without colours is better than none where there can't be one."""
    from dualdag import _api

    try:
        return _api.plan(list(chosen.values()), store=store)
    except DualdagError as error:
        click.echo(f"warning: drawn without a plan: {error}", err=True)
        return None


def _document(graph: Graph, plan: Plan | None) -> dict[str, Any]:
    nodes = [
        {
            "id": i,
            "key": node.key,
            "kind": node.op.kind,
            "label": graph.label(i),
            "artifacts": [spec.name for spec in graph.artifacts(i)],
            "action": None if plan is None else plan.action(i) or None,
            "inputs": list(graph.inputs[i]),
        }
        for i, node in enumerate(graph.nodes)
    ]
    return {"nodes": nodes, "counts": {} if plan is None else plan.counts}


def _print(drawn: bytes) -> None:
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(drawn.decode())
    else:
        buffer.write(drawn)
        buffer.flush()


def _write(path: Path, data: bytes) -> None:
    from dualdag.cli._values import written

    with written(path) as temporary:
        temporary.write_bytes(data)
