"""Sharing the work with other runs on the same store: what others claimed is waited for, not made twice.

Nodes are claimed in chunks, shortly before they start and for as long as claiming takes little beside them.
What others hold is parked; when there is nothing else to do the store is looked at now and then, until the
result is there or its maker gave it up.  Losing a claim costs a rerun, never an answer: records decide.
"""

from __future__ import annotations

import heapq
import time
from typing import TYPE_CHECKING

from dualdag.errors import StoreError
from dualdag.execution._state import READY, RUNNING
from dualdag.execution._work import INSIDE_ELSEWHERE, INSIDE_HERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dualdag.execution._schedule import Scheduler
    from dualdag.store import Claims

__all__ = ["Sharing"]

#: Seconds of work per slot that are claimed at once: where a job costs nothing, where it does, at the most.
WORTH, WORTH_PRICED, WORTH_MOST = 0.05, 0.2, 1.0
#: Seconds of a slot that a node takes at the least: to be started, taken in and recorded.
LEAST_OF_A_NODE = 1e-4
#: A chunk is to take so many times what claiming it takes.
TIMES = 4
#: Seconds between two looks at what others make: at first, soon, and after a long wait, of which a look is this share.
LOOKS_HERE, LOOKS_ELSEWHERE = (0.02, 0.05, 0.5), (0.3, 1.0, 5.0)
SHARE_OF_WAIT = 0.02


class Sharing:
    """Claims nodes for a scheduler, and parks those that others claimed.

    Parameters
    ----------
    scheduler : Scheduler
        Whose nodes they are.

    Attributes
    ----------
    parked : dict of int to str
        Ready nodes that others make, and the run that does.
    makers : dict of int to str
        Of nodes that others made, the run that held them; empty where that is not known.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        run, session = scheduler.run, scheduler.run.session
        self._scheduler = scheduler
        self._run = run
        self._claims = run.claims
        here = self._claims is None or self._claims.here
        #: What takes less is not kept, so that others could do nothing with it.
        self._least = INSIDE_HERE if here else INSIDE_ELSEWHERE
        self._looks = LOOKS_HERE if here else LOOKS_ELSEWHERE
        self._slots = session.slots
        priced = bool(getattr(session, "price", 0.0))
        self._worth = WORTH_PRICED if priced else WORTH
        #: What a node is taken to be worth of which nothing is known: clusters want to try two a slot.
        self._share_unknown = 0.5 if priced else 1.0
        self._seen = run.observed
        #: What waits to be claimed, each with what it is taken to be worth, and the sum of that.
        self._wanted: list[tuple[int, float]] = []
        self._waiting = 0.0
        self._free: set[int] = set()
        self._mine: dict[int, bytes] = {}
        #: What is claimed and did not end yet, in seconds of a slot, and the sum of it.
        self._open: dict[int, float] = {}
        self._sum = 0.0
        self._next_look, self._between, self._waits_since = 0.0, self._looks[0], 0.0
        self._told: set[str] = set()
        self.parked: dict[int, str] = {}
        self.makers: dict[int, str] = {}

    @property
    def busy(self) -> bool:
        """Whether nodes wait to be claimed, or for others."""
        return bool(self._wanted or self.parked)

    @property
    def full(self) -> bool:
        """Whether more than enough nodes wait to be claimed: a chunk of them is worth its claim."""
        enough = self._waiting >= 2 * self._worth * self._slots
        return enough and len(self._wanted) > self._run.session.window

    # What is claimed.

    def _wants(self, i: int) -> bool:
        """Return whether a node has to be claimed before it starts."""
        if i in self._mine or i in self._free:
            return False
        scheduler, plan = self._scheduler, self._scheduler.plan
        # Of what is recorded already others have the digest; only its value is made again.
        if i in plan.forced or i in plan.renewed or i in plan.recipes or scheduler.state.digest[i] is not None:
            return False
        keep = scheduler.keep(i, self._run.policy(i))
        if keep is not None:
            return keep
        # Who waits for what is not kept has to make it all the same.
        seconds = self._seconds(i)
        cheap = seconds is not None and seconds < self._least
        return not cheap and self._run.graph.nodes[i]._op.prefix not in self._run.unkept

    def _seconds(self, i: int) -> float | None:
        node = self._run.graph.nodes[i]
        known = self._scheduler.plan.seconds.get(node._own)
        return self._seen.get(node._op.prefix) if known is None else known

    def _key(self, i: int) -> bytes | None:
        """Return the key that a node is claimed by; None while neither of the two can be told."""
        found = self._scheduler.plan.traces[i]
        return self._scheduler.actions.get(i) if found is None else found

    def learn(self, i: int, seconds: float, *, kept: bool) -> None:
        """Take in what a node took, and whether its value is kept.

        Parameters
        ----------
        i : int
            Its position.
        seconds : float
            What its function took.
        kept : bool
            Whether others find its value in the store.
        """
        if self._claims is not None:
            prefix = self._run.graph.nodes[i]._op.prefix
            (self._run.unkept.discard if kept else self._run.unkept.add)(prefix)
            known = self._seen.get(prefix, seconds)
            # Rather too much than too little: what is not claimed others make too.
            self._seen[prefix] = max(seconds, known + 0.2 * (seconds - known))

    def queue(self, i: int) -> bool:
        """Keep a node until it is claimed; say whether that is needed.

        Parameters
        ----------
        i : int
            Position of a node that could start.
        """
        if self._claims is None or not self._wants(i):
            return False
        weight = self._weight(i)
        heapq.heappush(self._wanted, (i, weight))
        self._waiting += weight
        return True

    def _weight(self, i: int) -> float:
        """Return how many seconds of a slot a node is taken to be worth."""
        seconds = self._seconds(i)
        if seconds is None:
            return self._worth * self._share_unknown
        return min(max(seconds, LEAST_OF_A_NODE), self._worth)

    def _next_wanted(self) -> int:
        i, weight = heapq.heappop(self._wanted)
        self._waiting = self._waiting - weight if self._wanted else 0.0
        return i

    def more(self) -> bool:
        """Claim the next nodes if there is not enough to do; say whether any can start or be looked up now."""
        scheduler, wanted = self._scheduler, self._wanted
        found = False
        while wanted and not self._wants(wanted[0][0]):
            heapq.heappush(scheduler.ready, self._next_wanted())
            found = True
        target = self._worth * self._slots
        if not wanted or (self._sum >= target and scheduler.jobs):
            return found
        chunk: dict[int, float] = {}
        total = self._sum
        while wanted:
            i = wanted[0][0]
            weight = self._weight(i)
            if chunk and total >= target and (weight >= self._worth or total + weight > 2 * target):
                break
            self._next_wanted()
            if scheduler.state.phase[i] == READY:
                chunk[i] = weight
                total += weight
        self._claim(chunk)
        return True

    def _claim(self, weights: Mapping[int, float]) -> None:
        scheduler = self._scheduler
        for i in weights:
            if i not in scheduler.actions:
                scheduler.actions[i] = scheduler.action(i)
        made = self._made(list(weights))
        got = self._take({i: key for i in weights if i not in made and (key := self._key(i)) is not None})
        for i, weight in weights.items():
            if i in made:
                scheduler.unknown.append(i)
            elif i in got:
                self._open[i] = weight
                self._sum += weight
                # Another may have made it between this run's plan and its claim.
                scheduler.unknown.append(i)
            else:
                self._park(i)

    def _made(self, nodes: Sequence[int]) -> set[int]:
        """Return those of some nodes that others made meanwhile; for what is made already no claim is written."""
        claims, actions = self._claims, self._scheduler.actions
        if claims is None or not claims.watch.others():
            return set()
        try:
            claims.look()
            self._refresh(claims)
            found = self._run.store.records([actions[i] for i in nodes])
        except StoreError as error:
            self._stop_claiming(error)
            return set()
        made = {i for i in nodes if actions[i] in found}
        self._free |= made
        self.makers.update(dict.fromkeys(made, ""))
        return made

    def _refresh(self, claims: Claims) -> None:
        if claims.news:
            claims.news = False
            self._run.store.refresh()

    def _take(self, keys: dict[int, bytes]) -> set[int]:
        """Claim nodes, and see what others recorded if any others are about; return those that may start."""
        claims = self._claims
        if claims is None:
            return set(keys)
        # Claiming takes a while: what is done is safe before, and others see it.
        self._run.recorder.write()
        began = time.perf_counter()
        try:
            held = claims.take(list(keys.values()))
            self._refresh(claims)
        except StoreError as error:
            self._stop_claiming(error)
            return set(keys)
        spent = time.perf_counter() - began
        self._worth = min(WORTH_MOST, max(self._worth, TIMES * spent))
        got = {i for i, key in keys.items() if key in held}
        self._mine.update((i, keys[i]) for i in got)
        return got

    def covers(self, members: Sequence[int]) -> bool:
        """Claim the nodes of a cluster; return False where others hold or have made some of them.

        Parameters
        ----------
        members : sequence of int
            Positions, of which some may wait for others.
        """
        if self._claims is None:
            return True
        keys = {i: key for i in members if self._wants(i) and (key := self._key(i)) is not None}
        if not keys:
            return True
        got = self._take(keys)
        if len(got) < len(keys):
            return False
        return not self._run.store.records(list(keys.values()))

    def dissolve(self, members: Sequence[int]) -> None:
        """Put the nodes of a cluster back, each to start by itself or to wait for who makes it.

        Parameters
        ----------
        members : sequence of int
            Positions; some of them run by now.
        """
        scheduler = self._scheduler
        state = scheduler.state
        for i in members:
            self._run.alone.add(i)
            if state.phase[i] != RUNNING:
                state.must[i] = 0  # to be looked up when its turn comes
                continue
            for twin in scheduler.flying.pop(scheduler.actions[i], [i]):
                state.phase[twin] = READY
                if twin in self._mine or not self._wants(twin):
                    scheduler.unknown.append(twin)
                else:
                    self._park(twin)

    # What ends.

    def landed(self, i: int) -> None:
        """Note that a node takes no slot any more.

        Parameters
        ----------
        i : int
            Its position.
        """
        weight = self._open.pop(i, None)
        if weight is not None:
            self._sum = self._sum - weight if self._open else 0.0

    def done(self, i: int) -> None:
        """Note that a node's result is recorded.

        Parameters
        ----------
        i : int
            Its position.
        """
        key = self._mine.pop(i, None)
        if key is not None and self._claims is not None:
            try:
                self._claims.done(key)
            except StoreError as error:
                self._stop_claiming(error)

    def give_up(self, nodes: Iterable[int]) -> None:
        """Let others have nodes that are not going to be made here.

        Parameters
        ----------
        nodes : iterable of int
            Their positions.
        """
        keys = [key for i in nodes if (key := self._mine.pop(i, None)) is not None]
        if keys and self._claims is not None:
            try:
                self._claims.give_up(keys)
            except StoreError as error:
                self._stop_claiming(error)

    def end(self) -> None:
        """Let others have all that is left."""
        self.give_up(list(self._mine))

    def _stop_claiming(self, error: StoreError) -> None:
        self._run.tell("warning", message=f"other runs can't see what this one does from here on: {error}")
        self._claims = None
        while self._wanted:
            heapq.heappush(self._scheduler.ready, self._next_wanted())
        for i in self.parked:
            heapq.heappush(self._scheduler.ready, i)
        self.parked.clear()

    # What others make.

    def _park(self, i: int) -> None:
        claims, key = self._claims, self._key(i)
        holder = claims.holder(key) if claims is not None and key is not None else None
        self.parked[i] = self.makers[i] = holder or ""
        self._wait_anew()

    def _wait_anew(self) -> None:
        self._between, self._waits_since = self._looks[0], time.monotonic()
        self._next_look = self._waits_since + self._between

    def _wait_on(self) -> None:
        now = time.monotonic()
        longest = min(self._looks[2], SHARE_OF_WAIT * (now - self._waits_since))
        self._between = min(1.5 * self._between, max(self._looks[1], longest))
        self._next_look = now + self._between

    def pause(self) -> float | None:
        """Return in how many seconds to look at what others make; None where nothing is awaited."""
        if not self.parked:
            return None
        return max(0.0, self._next_look - time.monotonic())

    def look(self) -> None:
        """See what others have made or given up, and put that back."""
        scheduler, claims, store = self._scheduler, self._claims, self._run.store
        if claims is None:
            return
        try:
            claims.look()
            claims.tidy()
            claims.news = False
            store.refresh()
            keys = {i: key for i in self.parked if (key := self._key(i)) is not None}
            found = store.records([*keys.values(), *(scheduler.actions[i] for i in keys)])
            holders = {i: claims.holder(key) for i, key in keys.items()}
        except StoreError as error:
            self._stop_claiming(error)
            return
        before = self.parked.copy()
        for i in before:
            made = keys.get(i) in found or scheduler.actions.get(i) in found
            holder = holders.get(i)
            if made:
                self._free.add(i)
            if made or not holder:
                del self.parked[i]
                scheduler.unknown.append(i)
            else:
                self.parked[i] = self.makers[i] = holder
        self._tell_lost({i: run for i, run in before.items() if i not in self.parked and i not in self._free})
        (self._wait_anew if len(self.parked) < len(before) else self._wait_on)()
        self._tell()

    def _tell(self) -> None:
        """Say for whom this run waits, once for each."""
        for i, holder in self.parked.items():
            if holder not in self._told and self._claims is not None:
                self._told.add(holder)
                count = sum(one == holder for one in self.parked.values())
                more = f" and {count - 1} more" if count > 1 else ""
                where = self._claims.watch.where(holder)
                self._run.tell("waiting", i, message=f"waits for run {holder}{where}, which makes it{more}")

    def _tell_lost(self, lost: Mapping[int, str]) -> None:
        """Say that this run makes what it was said to wait for, once for each."""
        for i, holder in lost.items():
            if holder in self._told:
                self._told.discard(holder)
                self._run.tell("waiting", i, message=f"run {holder} gave it up, so it is made here")
