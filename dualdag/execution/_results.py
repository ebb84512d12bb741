"""What is done with outcomes: recorded, handed on, tried again, or told of as failures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dualdag.errors import CodecError, DualdagError, StoreError
from dualdag.execution._failures import revive, text_of
from dualdag.execution._protocol import Handle, Outcome
from dualdag.execution._run import Ran
from dualdag.execution._work import publish

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dualdag.execution._recorder import Settled
    from dualdag.execution._schedule import Scheduler
    from dualdag.store import Record

__all__ = ["Results"]

#: How often a file may change while it is read, and an object be found damaged, before it is an error.
TRIES = 3


class Results:
    """Takes in outcomes for a scheduler.

    Parameters
    ----------
    scheduler : Scheduler
        Whose plan they belong to.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.run = scheduler.run
        self.plan = scheduler.plan
        self.state = scheduler.state
        self.graph = scheduler.graph
        self.asked_for = {*self.plan.roots, *self.plan.forced}

    def begin(self) -> None:
        """Record what the plan found under another name, and publish versions of what is there already."""
        plan, recorder = self.plan, self.run.recorder
        for i, record in plan.aliases.items():
            trace = plan.traces[i]
            # The record's own trace key is among them where what it led to can't be read.
            if trace is not None:
                recorder.alias(trace, record)
        for i in plan.roots:
            if i in plan.records:
                self.published(i, plan.records[i])

    def tokens(self, values: Sequence[int]) -> list[tuple[str, Any]]:
        """Return the files among a step's inputs, with the tokens under which their contents are known."""
        literal, nodes = self.state.literal, self.graph.nodes
        if not literal:
            return []
        found: list[tuple[str, Any]] = []
        for j in values:
            if j in literal and nodes[j]._op.kind != "value":
                found.extend((url, self.run.tokens.get(url)) for url in self.run.files.urls(j))
        return found

    def take(self, outcome: Outcome) -> None:
        """Take in what became of a step.

        Parameters
        ----------
        outcome : Outcome
            As the session gave it.
        """
        if outcome.status == "done":
            self._done(outcome)
        elif outcome.status == "failed":
            self._failed(outcome)
        elif outcome.status == "moved":
            self._moved(outcome)
        elif outcome.status == "missing":
            self._missing(outcome)

    def _done(self, outcome: Outcome) -> None:
        i, run = outcome.id, self.run
        policy = run.policy(i)
        run.executed += 1
        run.seconds[i] = outcome.seconds
        if i not in self.scheduler.loose and (outcome.checksum is None or run.session.holds_published):
            run.held.add(i)
            self.state.held[i] = i
        run.tell("done", i, seconds=outcome.seconds, nbytes=outcome.nbytes)
        if outcome.keep and outcome.checksum is None and not self._publish(outcome):
            return
        if policy.persist is False and not outcome.keep:
            self._hand_on(i, outcome, None)
            return
        recipe = self.plan.recipes.get(i)
        record = self._record(i, outcome)
        if recipe is not None and recipe.digest == outcome.digest and not outcome.keep:
            # It gave what is recorded; there is nothing to add.
            self._hand_on(i, outcome, recipe)
        elif outcome.keep or (recipe is not None and recipe.digest != outcome.digest):
            self.run.recorder.add(i, record, waits=True)
        else:
            self.state.ask(i)
            self.run.recorder.add(i, record, waits=False)
            self._hand_on(i, outcome, record)

    def _record(self, i: int, outcome: Outcome) -> Record:
        from dualdag.store import Record

        node = self.graph.nodes[i]
        return Record(
            own=node._own,
            trace=self.scheduler.trace(i),
            action=self.scheduler.actions[i],
            digest=outcome.digest,
            checksum=outcome.checksum,
            codec=outcome.codec,
            nbytes=outcome.nbytes,
            seconds=outcome.seconds,
            created=time.time(),
            function=node._op.label,
            kept=outcome.checksum is not None,
        )

    def _publish(self, outcome: Outcome) -> bool:
        """Put a value into the store from here; on an error fail its node and return False."""
        i, run = outcome.id, self.run
        try:
            value = run.session.fetch(Handle(i))
            publish(self.graph.label(i), self.graph.nodes[i]._site, outcome, value, run.store)
            if outcome.codec == "file":
                # Whoever takes it gets the path of the object.
                self.state.held.pop(i, None)
                run.session.release((i,))
        except DualdagError as error:
            optional = outcome.keep and self.scheduler.keep(i, run.policy(i)) is None
            if optional and run.store.payload == "safe" and isinstance(error, CodecError):
                outcome.keep = False
                return True
            self._failed(Outcome(i, "failed", error=error))
            return False
        return True

    def _hand_on(self, i: int, outcome: Outcome, record: Record | None) -> None:
        """Let the users of a node have its result."""
        scheduler, state = self.scheduler, self.state
        action = scheduler.actions[i]
        ran = self.run.ran[action] = Ran(i, outcome, record)
        state.digest[i] = outcome.digest
        if outcome.checksum is not None:
            state.stored[i] = outcome.checksum, outcome.codec
        twins = scheduler.flying.pop(action, [i])[1:]
        if twins:
            state.ask(i)
        scheduler.resolved(i)
        for twin in twins:
            self.take_twin(twin, ran)
        if twins:
            state.unask(i)
        if record is not None:
            self.published(i, record)

    def take_twin(self, i: int, ran: Ran) -> bool:
        """Give a node the result of another of the same action; return False when it has to run itself.

        Parameters
        ----------
        i : int
            Position of the node.
        ran : Ran
            What the other gave.
        """
        state, run = self.state, self.run
        outcome = ran.outcome
        stored = outcome.checksum is not None
        held = ran.position in run.held
        policy = run.policy(i)
        must_keep = self.scheduler.keep(i, policy) is True
        if not stored and not held and (state.needs[i] or must_keep):
            return False
        if must_keep and not stored and not self._publish(outcome):
            return True
        state.digest[i] = outcome.digest
        if outcome.checksum is not None:
            state.stored[i] = outcome.checksum, outcome.codec
        elif held:
            state.held[i] = ran.position
            if ran.position != i:
                state.ask(ran.position)
        record = ran.record
        if policy.persist is not False or must_keep:
            if record is None or (outcome.checksum is not None and record.checksum is None):
                record = self._record_of_twin(i, outcome)
                run.recorder.add(i, record, waits=False)
                state.ask(i)
            elif record.trace != self.scheduler.trace(i):
                run.recorder.alias(self.scheduler.trace(i), record)
        run.tell("reuse", i, nbytes=outcome.nbytes)
        self.scheduler.resolved(i)
        if record is not None:
            self.published(i, record)
        return True

    def _record_of_twin(self, i: int, outcome: Outcome) -> Record:
        action = self.scheduler.action(i)
        self.scheduler.actions[i] = action
        return self._record(i, outcome)

    def settle(self, settled: Iterable[Settled]) -> None:
        """Take in which records are in force.

        Parameters
        ----------
        settled : iterable of Settled
            As the recorder gave them.
        """
        for one in settled:
            i = one.position
            if one.won.digest == one.mine.digest:
                if one.waits:
                    self._equal(one)
            else:
                self._differs(one)
            self.scheduler.sharing.done(i)
            if not one.waits:
                self.state.unask(i)

    def _equal(self, one: Settled) -> None:
        mine, won = one.mine, one.won
        if won.checksum != mine.checksum and mine.checksum is not None:
            there = won.checksum is not None and self.run.store.has_objects([won.checksum])
            if not there:
                # Encoded otherwise than what was lost: nothing else would lead to the new object.
                self._supersede(mine)
        self._hand_on(one.position, self._outcome_of(mine, one.position), mine)

    def _outcome_of(self, record: Record, i: int) -> Outcome:
        return Outcome(
            i,
            digest=record.digest,
            checksum=record.checksum,
            codec=record.codec,
            nbytes=record.nbytes,
            seconds=record.seconds,
            keep=record.checksum is not None,
        )

    def _differs(self, one: Settled) -> None:
        """Decide between a result and another in force under the same keys."""
        i, run, won = one.position, self.run, one.won
        forced = i in self.plan.forced
        if not forced and one.waits and won.checksum is not None and run.store.has_objects([won.checksum]):
            # Another writer was first: take its result, so that all agree.
            self.state.held.pop(i, None)
            run.held.discard(i)
            run.session.release((i,))
            self._hand_on(i, self._outcome_of(won, i), won)
            return
        outcome = self._outcome_of(one.mine, i)
        if outcome.checksum is None and i in self.scheduler.loose:
            # Its value is gone: what is in force is looked for instead.
            run.alone.add(i)
            self.scheduler.again = True
            self.scheduler.stop()
            return
        if outcome.checksum is None and not self._publish(outcome):
            return
        mine = self._record(i, outcome)
        in_force = self._supersede(mine)
        expected = forced or i in self.plan.renewed
        relied_on = i in self.plan.recipes or self.state.digest[i] is not None
        if expected or not (relied_on or run.policy(i).deterministic):
            self._hand_on(i, self._outcome_of(in_force, i), in_force)
            return
        # What was found by the digest that is no longer in force has to be looked for again.
        run.ran[mine.action] = Ran(i, outcome, in_force)
        if run.policy(i).deterministic:
            self._mark_unstable(i)
        self.scheduler.again = True
        self.scheduler.stop()

    def _supersede(self, record: Record) -> Record:
        in_force = self.run.store.supersede(record)
        for key in (record.trace, record.action):
            self.run.late[key] = in_force.digest
        return in_force

    def _mark_unstable(self, i: int) -> None:
        node, run = self.graph.nodes[i], self.run
        prefix = node._op.prefix
        if prefix not in run.marked:
            run.marked.add(prefix)
            run.store.mark_unstable(prefix)
        run.warn(
            i,
            f"{self.graph.label(i)!r} ({node._site}) gave another result than the one recorded for the same inputs: "
            "from now on its results are kept. Say @dag.task(deterministic=False), or make it depend on its "
            "arguments only.",
        )

    def published(self, i: int, record: Record) -> None:
        """Publish a version of each artifact that a node is, now that its record is in force.

        Parameters
        ----------
        i : int
            Position of the node.
        record : Record
            In force for it.
        """
        if self.graph.artifacts(i):
            from dualdag.execution._versions import publish_versions

            publish_versions(self.scheduler, i, record)

    def _moved(self, outcome: Outcome) -> None:
        run, url, i = self.run, outcome.detail, outcome.id
        run.moves[url] = run.moves.get(url, 0) + 1
        if run.moves[url] > TRIES:
            error = StoreError(
                f"{url} changed each of the {TRIES} times that {self.graph.label(i)!r} read it: "
                "run again when nothing writes to it."
            )
            self._failed(Outcome(i, "failed", error=error))
            return
        from dualdag.execution._inputs import read_files

        before = run.files.known.copy()
        read_files(run.files, [url], run.tokens)
        self.scheduler.restart(i)
        if run.files.known != before:
            self.scheduler.again = True
            self.scheduler.stop()

    def _missing(self, outcome: Outcome) -> None:
        run, i, number = self.run, outcome.id, outcome.detail
        run.lost[number] = run.lost.get(number, 0) + 1
        assert outcome.error is not None  # noqa: S101 - sessions say why
        error = revive(outcome.error)
        if run.lost[number] > TRIES:
            self._failed(Outcome(i, "failed", error=error))
            return
        self.warn_lost(number, error)
        self.scheduler.again = True
        self.scheduler.stop()

    def warn_lost(self, i: int, error: BaseException) -> None:
        """Tell of a stored value that can't be used, and let the next plan see that it is gone.

        Parameters
        ----------
        i : int
            Position of its node.
        error : BaseException
            Why.
        """
        checksum, _ = self.state.stored.get(i, (b"", ""))
        if isinstance(error, CodecError):
            # Its bytes are whole, so that the store would find it there again and again.
            self.run.store.disregard(checksum)
        for action, ran in list(self.run.ran.items()):
            if ran.outcome.checksum == checksum:
                ran.outcome.checksum = None
                if ran.position not in self.run.held:
                    del self.run.ran[action]
        self.run.warn(i, f"the stored value of {self.graph.label(i)!r} can't be used, so it is made again: {error}")
        self.run.store.refresh()

    def _failed(self, outcome: Outcome) -> None:
        i, run, scheduler = outcome.id, self.run, self.scheduler
        assert outcome.error is not None  # noqa: S101 - sessions say why
        error = revive(outcome.error)
        if isinstance(error, KeyboardInterrupt):
            raise error
        attempts = run.attempts.get(i, 0) + 1
        if outcome.retry and attempts <= run.policy(i).retries and not scheduler.stopping:
            run.attempts[i] = attempts
            pause = scheduler.delay(i, attempts)
            run.tell("retry", i, seconds=outcome.seconds, message=f"{_line(error)}; again in {pause:.2g} s")
            return
        node = self.graph.nodes[i]
        note = f"in {self.graph.label(i)!r}, made at {node._site}"
        if attempts > 1:
            note += f" (attempt {attempts})"
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        run.failures.append(error)
        run.failed.add(i)
        run.tell("failed", i, seconds=outcome.seconds, message=_line(error))
        for twin in scheduler.flying.pop(scheduler.actions.get(i, b""), [i]):
            self.skip(twin)
        if not run.keep_going:
            scheduler.stop()

    def skip(self, i: int) -> None:
        """Give up a node, and all below it.

        Parameters
        ----------
        i : int
            Position of the node.
        """
        self.scheduler.sharing.give_up([i, *self.state.fail(i)])


def _line(error: BaseException) -> str:
    first = text_of(error).partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
