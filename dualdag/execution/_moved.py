"""Functions that changed while the run went on: told of, since their records would mislead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualdag.errors import FingerprintError
from dualdag.hashing import fingerprint, moved, shared_walk

if TYPE_CHECKING:
    from dualdag.execution._run import Run
    from dualdag.graph import Op

__all__ = ["check_moved"]


def check_moved(run: Run) -> None:
    """Take the fingerprint of each task that ran once more, and warn of one that is another by now.

    Parameters
    ----------
    run : Run
        A run at its end.
    """
    ops: dict[int, tuple[Op, int]] = {}
    for i in run.seconds:
        op = run.graph.nodes[i]._op
        ops.setdefault(id(op), (op, i))
    with shared_walk():
        found = [(what, i) for op, i in ops.values() if (what := _what_moved(op))]
    for what, i in found:
        run.warn(
            i,
            f"{what} changed while {run.graph.label(i)!r} ({run.graph.nodes[i]._site}) ran: its result is recorded "
            "for what it was before. Keep what a task remembers out of globals, or say ignore= or version=.",
        )


def _what_moved(op: Op) -> str:
    if op.fn is None or op.fingerprint is None:
        return ""
    try:
        now = fingerprint(op.fn)
    except FingerprintError as error:
        return str(error)
    return "" if now.digest == op.fingerprint.digest else moved(op.fingerprint, now)
