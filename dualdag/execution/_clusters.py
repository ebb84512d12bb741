"""Clusters: cheap nodes that share a job, so that what an engine charges for a job is paid once for many.

A cluster starts with a node that can run now and takes in others that can run now, and nodes below
whose inputs are all in it or known.  So whatever it is made of can run when it is submitted, and no
cycle can form between clusters.  How large it gets follows from what the functions took so far: the
first calls of a function run alone, and tell.  Cheap nodes wait here while the engine has enough to do,
since the longer they wait, the more is there to be taken together.
"""

from __future__ import annotations

import heapq
import operator
from collections import Counter
from typing import TYPE_CHECKING

from dualdag.execution._state import RESOLVED, WAITING

if TYPE_CHECKING:
    from dualdag.execution._schedule import Scheduler

__all__ = ["Clusters"]

#: A job of a cluster is to take so many times what the engine charges for it, within these seconds.
WORTH, SHORTEST, LONGEST = 40.0, 0.005, 0.05
#: Seconds that a worker needs for a node beside its function.
OVERHEAD = 50e-6
#: A node that takes as long as this has a job of its own, so that a lost worker costs no more than it was at.
LONG = 0.01
#: Nodes of a cluster at the most: past it little is gained, and a lost worker costs all of them.
MOST = 512
#: Clusters per slot that what is ready is divided into at the least, as far as each is worth its price.
SHARES = 4
#: Clusters per slot that the engine has at a time: one that runs and what comes next.
DEPTH = 2


class Clusters:
    """Decides what runs together.

    Parameters
    ----------
    scheduler : Scheduler
        Whose nodes they are.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._run, self._graph = scheduler.run, scheduler.graph
        session = scheduler.run.session
        self._slots = session.slots
        self._price = getattr(session, "price", 0.0)
        #: Seconds that a job is to take; 0 where a node may as well be a job.
        self.target = min(LONGEST, max(SHORTEST, WORTH * self._price)) if self._price else 0.0
        self._probes: Counter[bytes] = Counter()
        self._parked: dict[bytes, list[int]] = {}
        #: Cheap nodes that could run, and how many clusters of them the engine has, by what they ask for.
        self._pools: dict[str, list[int]] = {}
        self._flying: Counter[str] = Counter()

    def park(self, i: int) -> bool:
        """Put a node back whose function's first calls are still awaited; say whether that was done.

        Parameters
        ----------
        i : int
            Position of a node that could run.
        """
        if not self.target:
            return False
        prefix = self._graph.nodes[i]._op.prefix
        if self._probes[prefix] < 2 * self._slots or self.expected(i) is not None:
            return False
        self._parked.setdefault(prefix, []).append(i)
        return True

    def sent(self, i: int) -> None:
        """Note that a node was submitted.

        Parameters
        ----------
        i : int
            Its position.
        """
        if self.target:
            self._probes[self._graph.nodes[i]._op.prefix] += 1

    def learn(self, i: int, seconds: float | None) -> None:
        """Take in what a node took, and let go of those that waited for it.

        Parameters
        ----------
        i : int
            Its position.
        seconds : float or None
            None where it was not run to its end.
        """
        if not self.target:
            return
        prefix, costs = self._graph.nodes[i]._op.prefix, self._run.costs
        self._probes[prefix] -= 1
        if seconds is not None:
            known = costs.get(prefix)
            # A first call pays for imports: what is less counts more than what is more.
            share = 0.7 if known is None or seconds < known else 0.3
            costs[prefix] = seconds if known is None else known + share * (seconds - known)
        for parked in self._parked.pop(prefix, ()):
            heapq.heappush(self._scheduler.ready, parked)

    def expected(self, i: int) -> float | None:
        """Return the seconds that a node is likely to take; None before a first call of its function told.

        Parameters
        ----------
        i : int
            Its position.
        """
        node = self._graph.nodes[i]
        known = self._run.costs.get(node._op.prefix)
        if known is None:
            known = self._scheduler.plan.seconds.get(node._own)
        return 0.0 if known is None and self._picks(i) else known

    def pool(self, i: int) -> bool:
        """Keep a cheap node that could run until `next` takes it; say whether that was done.

        Parameters
        ----------
        i : int
            Its position.
        """
        if self._cost(i) is None:
            return False
        heapq.heappush(self._pools.setdefault(self._shape(i), []), i)
        return True

    def next(self) -> list[int]:
        """Return the next cluster, its nodes in an order in which they can run; none while the engine has enough."""
        for shape, pool in self._pools.items():
            while pool and self._flying[shape] < DEPTH * self._slots:
                i = heapq.heappop(pool)
                if self._scheduler.can_start(i):
                    self._flying[shape] += 1
                    return self._around(i, shape, pool)
        return []

    def landed(self, i: int) -> None:
        """Note that a job came to an end.

        Parameters
        ----------
        i : int
            The first of its nodes.
        """
        self._flying[self._shape(i)] -= 1

    def alone(self, i: int) -> list[int]:
        """Return a node that runs by itself, with those that only pick something from its result.

        Parameters
        ----------
        i : int
            Its position.
        """
        members = [i]
        if self.target and self._may_share(i):
            covered: dict[int, int] = {}
            for member in members:
                members += [u for u in self._below(member, covered) if self._rides_along(u)]
        return members

    def _around(self, i: int, shape: str, pool: list[int]) -> list[int]:
        scheduler = self._scheduler
        busy = scheduler.jobs >= self._slots
        # Where slots are idle even small shares are worth it; else the last ones are to end together.
        room, least = 1 + len(pool) // (SHARES * self._slots), self.target / 4 if busy else self._price
        # A chain leaves nothing for the idle slots.
        budget = self.target if busy or not pool else self.target / 3
        covered: dict[int, int] = {}
        members, total, taken, at = [i], OVERHEAD + (self._cost(i) or 0.0), 1, 0
        while len(members) < MOST:
            # What lies below first: its inputs are at hand.
            below = [u for m in members[at:] for u in self._below(m, covered)]
            at = len(members)
            if len(below) > 1 and not busy:
                budget = self.target / 3
            for user in below:
                more = self._cost(user)
                fits = more is not None and total + more <= budget and len(members) < MOST
                if fits and self._shape(user) == shape and self._fits_below(user):
                    members.append(user)
                    total += OVERHEAD + (more or 0.0)
            if len(members) > at:
                continue
            if not pool or (taken >= room and total >= least):
                break
            more = self._cost(pool[0])
            if more is None or total + more > budget:
                break
            other = heapq.heappop(pool)
            if scheduler.can_start(other):
                members.append(other)
                taken += 1
                total += OVERHEAD + more
        return members

    def _cost(self, i: int) -> float | None:
        """Return what a node takes; None where that is not known or it runs alone."""
        if not self.target or not self._may_share(i):
            return None
        cost = self.expected(i)
        return None if cost is None or cost > self.target or cost >= LONG else cost

    def _may_share(self, i: int) -> bool:
        if i in self._run.alone or i in self._run.attempts:
            return False
        policy = self._run.policy(i)
        # What is timed is ended with its worker; of what is not deterministic one result is in force.
        if policy.timeout is not None or not policy.deterministic or policy.resources.get("num_gpus"):
            return False
        return self._graph.nodes[i]._op.prefix not in self._run.marked

    def _picks(self, i: int) -> bool:
        """Return whether a node only picks something from what another made, as ``node[0]`` does."""
        return self._graph.nodes[i]._op.fn is operator.getitem

    def _rides_along(self, i: int) -> bool:
        # It asks for nothing of its own, so what its result's maker asks for is enough.
        return self._picks(i) and not self._shape(i) and self._may_share(i) and self._fits_below(i)

    def _shape(self, i: int) -> str:
        resources = self._run.policy(i).resources
        return str(sorted(resources.items())) if resources else ""

    def _below(self, i: int, covered: dict[int, int]) -> list[int]:
        """Return the users of a member that wait for members only."""
        state = self._scheduler.state
        found = []
        for user in state.users[i]:
            if state.phase[user] == WAITING and state.must[user] and user not in self._scheduler.clustered:
                covered[user] = covered.get(user, 0) + 1
                if covered[user] == state.missing[user]:
                    found.append(user)
        return found

    def _fits_below(self, i: int) -> bool:
        extra = self._graph.extras.get(i)
        if extra is not None and extra.after:
            return False
        if i in self._scheduler.plan.forced:
            return False
        state = self._scheduler.state
        phase = state.phase
        return all(phase[j] != RESOLVED or state.has_value(j) for j in state.value_inputs(i))
