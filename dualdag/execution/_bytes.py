"""Values as bytes, for another process."""

from __future__ import annotations

import io
import pickle
from functools import cache
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


def load_value(data: bytes | memoryview) -> Any:
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
    file = io.BytesIO()
    _thawer()(file, protocol=5).dump(value)
    return pickle.loads(file.getbuffer())


@cache
def _thawer() -> Any:
    """Return a pickler that remembers all of an array but that it was read-only.

    Protocol 5 remembers that too, and older ones lose the order of its bytes.
    """
    import cloudpickle

    class Thawer(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            if type(obj).__name__ == "ndarray" and not obj.flags.writeable and not obj.dtype.hasobject:
                return obj.copy(order="K").__reduce_ex__(5)
            return super().reducer_override(obj)

    return Thawer


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
