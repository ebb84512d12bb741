"""What runs in the workers of a workflow: a job, with its values taken from the store and put there."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from dualdag.execution import Outcome, describe, place_of, publish, run_job

if TYPE_CHECKING:
    from dualdag.store import Store

__all__ = ["Token", "gather", "run_in_store"]

#: Where the store has a value: its checksum and how it is decoded.
Token: TypeAlias = tuple[bytes | None, str]


def run_in_store(payload: bytes, told: Sequence[tuple[str, str, bool]]) -> bytes:
    """Run a job and leave what others may ask for in the store.

    Parameters
    ----------
    payload : bytes
        Made by `Packer.pack`; every input that it does not make itself is in the store.
    told : sequence of (str, str, bool)
        Of each step its label, the line that made it, and whether its value is held.

    Returns
    -------
    bytes
        The outcomes and, by step, the tokens of values that only this run knows of.
    """
    data, values = run_job(payload)
    outcomes: list[Outcome] = pickle.loads(data)
    tokens: dict[int, Token] = {}
    store: Store | None = None
    for k, (outcome, value) in enumerate(zip(outcomes, values, strict=True)):
        label, site, hold = told[k]
        if outcome.status != "done" or outcome.checksum is not None or not hold:
            continue
        store = store or place_of(payload).store
        assert store is not None  # noqa: S101 - a job without a store fails before
        outcomes[k] = _leave(outcome, label, site, value, store, tokens)
    return pickle.dumps((outcomes, tokens), protocol=5)


def _leave(outcome: Outcome, label: str, site: str, value: Any, store: Store, tokens: dict[int, Token]) -> Outcome:
    """Put a value into the store without a record: what it is worth keeping for is not decided here."""
    saved = Outcome(outcome.id)
    try:
        publish(label, site, saved, value, store)
    except Exception as error:  # noqa: BLE001 - encoding runs code of any class
        return replace(outcome, status="failed", error=describe(error), keep=False)
    tokens[outcome.id] = (saved.checksum, saved.codec)
    outcome.nbytes = saved.nbytes
    return outcome


def gather(*tokens: bytes) -> int:
    """Be the one task that all of a workflow lead to.

    Parameters
    ----------
    *tokens : bytes
        What the jobs gave.
    """
    return len(tokens)
