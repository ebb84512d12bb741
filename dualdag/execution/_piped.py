"""Jobs for processes that are sent bytes and answer with bytes."""

from __future__ import annotations

import pickle
from contextlib import suppress
from typing import TYPE_CHECKING

from dualdag.execution._bytes import load_value, value_to_bytes
from dualdag.execution._failures import describe
from dualdag.execution._payload import arrive, carry_out
from dualdag.execution._protocol import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["run_bytes"]


def run_bytes(payload: bytes, values: Iterable[bytes]) -> tuple[list[Outcome], list[bytes | None]]:
    """Run a job where only bytes come and go: in a process behind a pipe, or behind a socket.

    Parameters
    ----------
    payload : bytes
        Made by `Packer.pack`.
    values : iterable of bytes
        The values it asked for, as `dump_value` writes them.

    Returns
    -------
    tuple of list and list
        An Outcome for each step, with failures as data; and the bytes of each value, None where there is
        none or where the store has it.
    """
    data, ids, *rest = pickle.loads(payload)
    rows = rest[-1]
    with suppress(Exception):
        # Values may be of classes from the run's folders; what is wrong with them is told below.
        arrive(data)
    try:
        given = {number: load_value(value) for number, value in zip(ids, values, strict=True)}
    except BaseException as error:  # noqa: BLE001 - unpickling runs code of any class
        error.add_note(f"while what {rows[0][1]!r} takes was unpickled: let its task return plain data")
        if len(rows) > 1:
            return [Outcome(row[0], "skipped") for row in rows], [None] * len(rows)
        return [Outcome(rows[0][0], "failed", error=describe(error))], [None]
    outcomes, left = carry_out(data, given, *rest)
    del given
    out: list[bytes | None] = []
    for k, row in enumerate(rows):
        body = None
        if row[-1] and outcomes[k].status == "done" and outcomes[k].checksum is None:
            outcomes[k], body = value_to_bytes(outcomes[k], row[1], row[2], left[k])
        out.append(body)
    return outcomes, out
