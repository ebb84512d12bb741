"""Carrying one plan out: what is ready is looked up or submitted, what comes back is handed on."""

from __future__ import annotations

import heapq
import random
import time
from typing import TYPE_CHECKING

from dualdag.execution._clusters import Clusters
from dualdag.execution._protocol import Job, Step
from dualdag.execution._results import Results
from dualdag.execution._sharing import Sharing
from dualdag.execution._state import FAILED, IDLE, READY, RESOLVED, RUNNING, WAITING, State
from dualdag.hashing import action_key, combine
from dualdag.planning import effective_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dualdag.execution._protocol import Outcome
    from dualdag.execution._run import Policy, Run
    from dualdag.planning import Plan
    from dualdag.store import Record

__all__ = ["Scheduler"]

#: Back-off: a random wait up to this many seconds, doubled with each attempt, up to the longest.
FIRST_WAIT, LONGEST_WAIT = 0.05, 30.0


class Scheduler:
    """Carries one plan out.

    Parameters
    ----------
    run : Run
        The run.
    plan : Plan
        What to do.

    Attributes
    ----------
    again : bool
        Whether something came out that makes another plan necessary.
    """

    def __init__(self, run: Run, plan: Plan) -> None:
        self.run = run
        self.plan = plan
        self.graph = plan.graph
        self.again = False
        self.stopping = False
        self.jobs = 0
        #: Of each submitted node its job: how many of its nodes are left, and the first if it is a cluster.
        self.left: dict[int, list[int]] = {}
        #: Submitted with what they wait for, what came of them, and those whose turn it is to be taken in.
        self.clustered: set[int] = set()
        self.arrived: dict[int, tuple[Outcome, dict[int, bytes]]] = {}
        self.due: list[int] = []
        self.loose: set[int] = set()
        self.ready: list[int] = []
        self.unknown: list[int] = []
        self.delayed: list[tuple[float, int]] = []
        self.traces: dict[int, bytes] = {}
        self.actions: dict[int, bytes] = {}
        self.flying: dict[bytes, list[int]] = {}
        self.state = State(plan, run.files, self._release)
        for i in plan.targets:
            self.state.ask(i)
        self.results = Results(self)
        self.clusters = Clusters(self)
        self.sharing = Sharing(self)

    def _release(self, number: int) -> None:
        self.run.held.discard(number)
        self.run.session.release((number,))

    def carry_out(self) -> None:
        """Do what the plan says, until it is done, has failed, or another is needed."""
        self.results.begin()
        for i in self.run.failed:
            if self.state.phase[i] != RESOLVED:
                self.results.skip(i)
        self.hand_on(self.state.waiting())
        while True:
            self._take_due()
            if self.unknown:
                self._look_up()
            while self._may_start():
                self._start(heapq.heappop(self.ready))
            while not self.stopping and (members := self.clusters.next()):
                if self.sharing.covers(members):
                    self._submit(members, pooled=True)
                else:
                    self.clusters.landed(members[0])
                    self.sharing.dissolve(members)
            if self.due or (not self.stopping and (self.sharing.more() or self.unknown)):
                continue
            if self._at_end():
                self.sharing.end()
                return
            self._wait()

    def _may_start(self) -> bool:
        if not self.ready or self.stopping:
            return False
        return self.jobs < self.run.session.window and not self.sharing.full

    def _at_end(self) -> bool:
        if self.jobs or self.run.recorder.busy:
            return False
        return self.stopping or not (self.ready or self.delayed or self.sharing.busy)

    def _wait(self) -> None:
        """Wait for the next outcome, the end of a batch or the end of a back-off."""
        recorder, session = self.run.recorder, self.run.session
        now = time.monotonic()
        while self.delayed and self.delayed[0][0] <= now:
            heapq.heappush(self.ready, heapq.heappop(self.delayed)[1])
        wait = recorder.wait
        idle = self.jobs < session.slots if recorder.waiting else not self.jobs
        if wait is not None and (wait <= 0 or idle):
            recorder.write()
            wait = None
        settled = recorder.settled()
        if settled or self._may_start():
            self.results.settle(settled)
            return
        if self.delayed and not self.stopping:
            pause = max(0.0, self.delayed[0][0] - now)
            wait = pause if wait is None else min(wait, pause)
        if self.jobs < session.slots and not self.stopping and (others := self.sharing.pause()) is not None:
            if not others:
                self.sharing.look()
                return
            wait = others if wait is None else min(wait, others)
        if self.jobs:
            if not session.inline:
                self.run.store.tidy()
            self._receive(session.collect(wait))
        elif wait:
            time.sleep(wait)

    def _receive(self, outcomes: Sequence[Outcome]) -> None:
        """Take in what can be; what rests on others of its job waits until these are in force."""
        digests = {one.id: one.digest for one in outcomes if one.status == "done"}
        for outcome in outcomes:
            i = outcome.id
            self._count_off(i)
            self.sharing.landed(i)
            self.clusters.learn(i, outcome.seconds if outcome.status == "done" else None)
            if outcome.status == "done":
                self.sharing.learn(i, outcome.seconds, kept=outcome.keep)
            if outcome.output:
                self.run.tell("output", i, message=outcome.output)
            if outcome.status == "skipped":
                self._skipped(i)
            elif i in self.clustered:
                given = {j: digests[j] for j in self.graph.inputs[i] if j in digests}
                self.arrived[i] = outcome, given
            else:
                self.results.take(outcome)

    def _count_off(self, i: int) -> None:
        left = self.left.pop(i)
        left[0] -= 1
        if not left[0]:
            self.jobs -= 1
            if left[1] >= 0:
                self.clusters.landed(left[1])

    def _skipped(self, i: int) -> None:
        self.run.alone.add(i)
        if i in self.clustered:
            self.clustered.discard(i)
        elif self.state.phase[i] == RUNNING:
            self.restart(i)

    def _take_due(self) -> None:
        """Take in what rested on others of its job, now that these are resolved."""
        while self.due:
            i = self.due.pop()
            self.clustered.discard(i)
            outcome, given = self.arrived.pop(i)
            if any(self.state.digest[j] != digest for j, digest in given.items()):
                # It was made of what another result has replaced.
                self.run.session.release((i,))
                self.restart(i)
                continue
            self.actions[i] = self.action(i)
            self.results.take(outcome)

    def hand_on(self, nodes: Iterable[int]) -> None:
        """Note that nodes wait for nothing any more.

        Parameters
        ----------
        nodes : iterable of int
            Their positions.
        """
        phase, must = self.state.phase, self.state.must
        for i in nodes:
            phase[i] = READY
            if i in self.clustered:
                phase[i] = RUNNING
                self.due.append(i)
            elif must[i]:
                heapq.heappush(self.ready, i)
            else:
                self.unknown.append(i)

    def resolved(self, i: int) -> None:
        """Make the keys of a node whose digest is known, and hand its users on.

        Parameters
        ----------
        i : int
            Its position.
        """
        state = self.state
        self.sharing.landed(i)
        trace, late = self.trace(i), self.run.late
        digest = state.digest[i]
        if digest is not None and (trace in late or self.actions.get(i) in late):
            # What is in force is what was just taken; further names of a superseded result follow it.
            late[trace] = digest
        state.effective[i] = effective_key(trace, late)
        if i in self.plan.forced:
            self.run.refreshed.add(i)
        self.hand_on(state.resolve(i))

    def trace(self, i: int) -> bytes:
        """Return the trace key of a node whose inputs are all resolved."""
        found = self.traces.get(i)
        if found is None:
            effective = self.state.effective
            found = combine(self.graph.nodes[i]._own, [effective[j] for j in self.graph.inputs[i]])  # type: ignore[misc]
            self.traces[i] = found
        return found

    def action(self, i: int) -> bytes:
        """Return the action key of a node whose inputs are all resolved."""
        digest = self.state.digest
        return action_key(self.graph.nodes[i]._own, [digest[j] for j in self.graph.inputs[i]])  # type: ignore[misc]

    def _look_up(self) -> None:
        """Look for the results of nodes whose inputs' digests became known."""
        asked, self.unknown = self.unknown, []
        state, store = self.state, self.run.store
        keys: dict[int, bytes] = {}
        for i in asked:
            if state.phase[i] == READY:
                keys[i] = self.actions[i] = self.action(i)
        left = [i for i in keys if not self._twin(i, keys[i])]
        found = store.records([keys[i] for i in left]) if left else {}
        sums = {r.checksum for i in left if (r := found.get(keys[i])) is not None and r.checksum is not None}
        there = store.has_objects(sums) if sums else set()
        for i in left:
            record = found.get(keys[i])
            if record is None:
                self._run(i)
            elif record.checksum in there:
                self._adopt(i, record)
            elif state.needs[i]:
                self._run(i)
            else:
                self._adopt(i, record, gone=True)

    def _run(self, i: int) -> None:
        self.state.must[i] = 1
        heapq.heappush(self.ready, i)

    def _adopt(self, i: int, record: Record, *, gone: bool = False) -> None:
        """Take a recorded result instead of running."""
        state = self.state
        if not gone and record.checksum is not None:
            state.stored[i] = record.checksum, record.codec
        state.digest[i] = record.digest
        if record.trace != self.trace(i):
            self.run.recorder.alias(self.trace(i), record)
        maker = self.sharing.makers.get(i)
        made = {} if maker is None else {"message": f"made by run {maker}" if maker else "made by another run"}
        self.run.tell("reuse", i, nbytes=record.nbytes, **made)
        self.sharing.done(i)
        self.resolved(i)
        self.results.published(i, record)

    def _twin(self, i: int, action: bytes) -> bool:
        """Take the result of a node of the same action that runs or ran in this run; say whether there is one."""
        flying = self.flying.get(action)
        if flying is not None and flying[0] != i:
            flying.append(i)
            return True
        ran = self.run.ran.get(action)
        return ran is not None and self.results.take_twin(i, ran)

    def _start(self, i: int) -> None:
        clusters = self.clusters
        if self.state.phase[i] != READY or clusters.park(i) or clusters.pool(i) or self.sharing.queue(i):
            return
        if self.can_start(i):
            self._submit(clusters.alone(i))

    def can_start(self, i: int) -> bool:
        """Return whether a ready node is to be submitted now: its inputs are there, and no other does the same.

        Parameters
        ----------
        i : int
            Its position.
        """
        state = self.state
        if state.phase[i] != READY:
            return False
        lacking = [j for j in state.value_inputs(i) if not state.has_value(j)]
        if lacking:
            self._demand(i, lacking)
            return False
        action = self.actions.get(i)
        if action is None:
            action = self.actions[i] = self.action(i)
        if self._twin(i, action):
            return False
        self.flying[action] = [i]
        state.phase[i] = RUNNING
        return True

    def _submit(self, members: list[int], *, pooled: bool = False) -> None:
        run, phase = self.run, self.state.phase
        inside = set(members)
        steps = [self._step(i, inside) for i in members]
        left = [len(members), members[0] if pooled else -1]
        self.jobs += 1
        for i in members:
            self.left[i] = left
            if phase[i] == WAITING:
                self.clustered.add(i)
            self.clusters.sent(i)
            run.tell("start", i)
        run.session.submit(Job(steps, run.policy(members[0]).resources))

    def _step(self, i: int, inside: set[int]) -> Step:
        run, state, graph = self.run, self.state, self.graph
        node, policy = graph.nodes[i], run.policy(i)
        values = state.value_inputs(i)
        hold = True
        # Of what was made before it may show that it gives something else each time; then it is kept.
        known = state.digest[i] is not None or i in self.plan.recipes
        if len(inside) > 1 and run.session.publishes and not known:
            hold = state.asked[i] > sum([user in inside for user in state.users[i]])
            if not hold:
                self.loose.add(i)
        return Step(
            i,
            graph.label(i),
            node._site,
            node._op.fn,  # type: ignore[arg-type]
            node._args,
            node._kwargs,
            [graph.nodes[j]._key for j in values],
            [state.source(j) for j in values],
            node._op.nout,
            self.keep(i, policy),
            run.session.publishes,
            self.results.tokens(values),
            policy.retry_on,
            policy.timeout,
            node._op.fingerprint,
            hold,
        )

    def keep(self, i: int, policy: Policy) -> bool | None:
        """Return whether a node's object is kept; None leaves it to what it turns out to cost."""
        if not policy.deterministic or self.graph.nodes[i]._op.prefix in self.run.marked:
            return True
        if policy.persist is False:
            return False
        if policy.persist is True or i in self.results.asked_for:
            return True
        return None

    def _demand(self, i: int, lacking: list[int]) -> None:
        """Make handles without an object run, and what is above them as far as it is needed."""
        state = self.state
        phase = state.phase
        phase[i] = WAITING
        self.sharing.landed(i)
        opened = [i]
        stack = list(lacking)
        while stack:
            j = stack.pop()
            state.needs[j] = 1
            if phase[j] == RESOLVED and not state.has_value(j):
                if not self.plan.actions[j]:
                    self.again = True
                state.must[j] = 1
                state.reopen(j)
                opened.append(j)
            elif phase[j] == IDLE:
                phase[j] = WAITING
                opened.append(j)
            else:
                continue
            stack.extend(k for k in self.graph.inputs[j] if phase[k] == IDLE)
        for j in opened:
            self.actions.pop(j, None)
            if any(phase[k] == FAILED for k in self.graph.inputs[j]):
                self.results.skip(j)
                continue
            state.missing[j] = state.unresolved(j)
        self.hand_on([j for j in opened if phase[j] == WAITING and not state.missing[j]])

    def delay(self, i: int, attempt: int) -> float:
        """Put a node back for another attempt, after a random wait.

        Parameters
        ----------
        i : int
            Its position.
        attempt : int
            How many there were.

        Returns
        -------
        float
            Seconds until then.
        """
        pause = random.uniform(0.0, min(LONGEST_WAIT, FIRST_WAIT * 2.0**attempt))  # noqa: S311 - not for secrets
        self.state.phase[i] = READY
        heapq.heappush(self.delayed, (time.monotonic() + pause, i))
        return pause

    def restart(self, i: int) -> None:
        """Put a node back to be run again at once.

        Parameters
        ----------
        i : int
            Its position.
        """
        self.state.phase[i] = READY
        heapq.heappush(self.ready, i)

    def stop(self) -> None:
        """Start nothing more; what has not started is dropped, what runs is awaited."""
        if not self.stopping:
            self.stopping = True
            for i in self.run.session.cancel():
                self._count_off(i)
                self.clustered.discard(i)

    def salvage(self) -> None:
        """After an interruption: record what came to an end, and nothing else."""
        self.stop()
        self._receive([one for one in self.run.session.collect(0) if one.status == "done"])
        self._take_due()
        self.run.recorder.write()
        self.results.settle(self.run.recorder.settled())
