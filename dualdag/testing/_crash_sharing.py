"""Taking over what a run claimed that fell silent, tried with faults."""

from __future__ import annotations

from dualdag.store._claims import Claim
from dualdag.store._leases import Beat, path_of
from dualdag.testing._crash_checks import opened
from dualdag.testing._crash_operations import NODES, act_chain, check_chain, marks
from dualdag.testing._crash_tasks import chain
from dualdag.testing._crashes import Operation, Place

__all__ = ["TAKE_OVER"]

#: A run of another machine, of which nothing is ever heard again, and how long it may be silent.
_RUN, _SECONDS = "20260301T120000-00000000", 0.1


def _prepare(place: Place) -> None:
    store = opened(place)
    keys = [bytes.fromhex(node.key.rpartition("-")[2])[:16] for node in chain(marks(place), NODES)]
    for path, told in (
        (path_of(_RUN, 1), Beat(_RUN, 1, _SECONDS, "elsewhere", 1, "1")),
        (f"claims/{1:012d}", Claim(_RUN, 1, b"".join(keys))),
    ):
        assert store._fs.put_if_absent(path, [store._sealer.seal(told, path)])


def _act(place: Place) -> None:
    act_chain(place)
    rest = opened(place)._fs.names("claims")
    assert rest, "nobody claimed anything"


#: Every node is claimed by another, which is fenced.
TAKE_OVER = Operation("take over a run", _act, check_chain, _prepare, waited_for=True)
