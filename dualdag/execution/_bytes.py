"""Values as bytes, for another process."""

from __future__ import annotations

import pickle
from typing import Any

from dualdag.execution._failures import describe
from dualdag.execution._protocol import Outcome
from dualdag.execution._work import unstorable
from dualdag.store import dump_pickle

__all__ = ["ATOMS", "dump_value", "load_value", "thaw", "value_to_bytes"]

#: Exact types that pickle takes as they are.
ATOMS = frozenset({int, float, complex, str, bytes, bool, type(None), type(Ellipsis), range})


def dump_value(value: Any) -> bytes:
    """Return a value as bytes for another process.

    Parameters
    ----------
    value : object
        Anything that pickle or cloudpickle takes.
    """
    if type(value) in ATOMS:
        return pickle.dumps(value, protocol=5)
    return dump_pickle(value)


def load_value(data: bytes) -> Any:
    """Return the value that `dump_value` wrote."""
    return pickle.loads(data)


def thaw(value: Any) -> Any:
    """Return a copy that can be written to throughout, of a value whose arrays lie in an engine's memory.

    Parameters
    ----------
    value : object
        What the engine gave.
    """
    if type(value) in ATOMS:
        return value
    import cloudpickle

    # Protocol 5 would remember that they were read-only.
    return pickle.loads(cloudpickle.dumps(value, protocol=4))


def value_to_bytes(outcome: Outcome, label: str, site: object, value: Any) -> tuple[Outcome, bytes | None]:
    """Return a value as bytes, or a failed outcome where it has none.

    Parameters
    ----------
    outcome : Outcome
        Of the step that made it.
    label, site : str
        The step's node.
    value : object
        What it gave.
    """
    try:
        return outcome, dump_value(value)
    except Exception as error:  # noqa: BLE001 - pickling runs code of any class
        return Outcome(outcome.id, "failed", error=describe(unstorable(label, site, value, error))), None
