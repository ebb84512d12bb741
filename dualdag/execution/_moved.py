"""Functions that changed while the run went on: told of, since their records would mislead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualdag.errors import FingerprintError
from dualdag.hashing import fingerprint, moved

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
    for op, i in ops.values():
        if op.fn is None or op.fingerprint is None:
            continue
        try:
            now = fingerprint(op.fn)
        except FingerprintError as error:
            what = str(error)
        else:
            if now.digest == op.fingerprint.digest:
                continue
            what = moved(op.fingerprint, now)
        run.warn(
            i,
            f"{what} changed while {run.graph.label(i)!r} ({run.graph.nodes[i]._site}) ran: its result is recorded "
            "for what it was before. Keep what a task remembers out of globals, or say ignore= or version=.",
        )
