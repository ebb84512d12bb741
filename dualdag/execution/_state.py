"""What is known of each node while a plan is carried out, and which values may still be asked for.

A node is *free* once nothing can make it run any more: only then do its inputs stop waiting for it.  A
handle without an object is not free while a node below it might have to run, so the values above it are
held, and no node runs twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dualdag.execution._protocol import Handle, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dualdag.planning import FileView, Plan

__all__ = ["FAILED", "IDLE", "READY", "RESOLVED", "RUNNING", "WAITING", "State"]

IDLE, WAITING, READY, RUNNING, RESOLVED, FAILED = range(6)
_REUSE, _RUN, _CHECK, _PINNED = 1, 2, 3, 4


class State:
    """State of every node of one plan, by position.

    Parameters
    ----------
    plan : Plan
        What is carried out.
    files : FileView
        What tasks receive for files.
    release : callable
        Called with the number of a value that nothing can ask for any more.

    Attributes
    ----------
    phase : bytearray
        IDLE (not asked for, as yet), WAITING for inputs, READY to be looked up or run, RUNNING,
        RESOLVED (its digest is known), FAILED (or below a failure).
    missing : list of int
        How many inputs of a waiting node are not resolved.
    must : bytearray
        1 for what runs without a look-up.
    needs : bytearray
        1 where the value is wanted, not only the digest.
    digest, effective : list of bytes or None
        What action keys and trace keys of users are made of.
    stored : dict of int to (checksum, codec)
        Where the store has the value.
    held : dict of int to int
        Number under which the session has the value.
    asked : list of int
        How many nodes may still take the value.
    """

    def __init__(self, plan: Plan, files: FileView, release: Callable[[int], None]) -> None:
        self.plan = plan
        self.files = files
        graph = plan.graph
        count = len(graph.nodes)
        self.inputs = graph.inputs
        self.users: list[list[int]] = []
        self.phase = bytearray(count)
        self.must = bytearray(count)
        self.needs = bytearray(plan.wanted)
        self.counted = bytearray(count)
        self.missing = [0] * count
        self.asked = [0] * count
        self.digest: list[bytes | None] = [None] * count
        self.effective: list[bytes | None] = list(plan.effective)
        self.stored: dict[int, tuple[bytes, str]] = {}
        self.held: dict[int, int] = {}
        self.literal: dict[int, Any] = {}
        self.active = [i for i, action in enumerate(plan.actions) if action in (_RUN, _CHECK)]
        self._release = release
        self._known()
        for i in plan.targets:
            if graph.nodes[i]._op.kind != "call":
                self._resolve_source(i)
        if self.active:
            self.users = graph.consumers()
            self._begin()

    def _known(self) -> None:
        """Resolve what is reused or pinned."""
        plan = self.plan
        for i, record in plan.records.items():
            self.phase[i] = RESOLVED
            self.digest[i] = record.digest
            # Where the value may be asked for, the planner saw that the object is there.
            if record.checksum is not None:
                self.stored[i] = record.checksum, record.codec
        for i, version in plan.pins.items():
            self.phase[i] = RESOLVED
            self.digest[i] = version.digest
            self.stored[i] = version.checksum, version.codec

    def _begin(self) -> None:
        """Say of each node to run or check what it waits for; users before their inputs."""
        plan, phase, inputs = self.plan, self.phase, self.inputs
        wanted = bytearray(len(phase))
        for i in plan.roots:
            wanted[i] = 1
        for i in reversed(self.active):
            self._count(i)
            recipe = plan.recipes.get(i)
            if plan.actions[i] == _RUN:
                self.must[i] = 1
                phase[i] = WAITING
            elif recipe is not None:
                # Runs only for a user that runs; till then its digest is enough.
                phase[i] = RESOLVED
                self.digest[i] = recipe.digest
                continue
            elif wanted[i]:
                phase[i] = WAITING
            else:
                continue
            for j in inputs[i]:
                wanted[j] = 1
        for i in self.active:
            for j in inputs[i]:
                if phase[j] == IDLE and plan.graph.nodes[j]._op.kind != "call":
                    self._resolve_source(j)

    def _resolve_source(self, i: int) -> None:
        node = self.plan.graph.nodes[i]
        self.phase[i] = RESOLVED
        if node._op.kind == "value":
            self.digest[i] = node._args[1]
            self.literal[i] = node._args[0]
        else:
            self.digest[i] = self.plan.file_digests.get(i)
            self.literal[i] = self.files.value(i)

    def waiting(self) -> list[int]:
        """Count what each waiting node waits for, and return those that wait for nothing."""
        phase, missing = self.phase, self.missing
        ready = []
        for i in self.active:
            if phase[i] == WAITING:
                missing[i] = self.unresolved(i)
                if not missing[i]:
                    ready.append(i)
        return ready

    def unresolved(self, i: int) -> int:
        """Return how many of a node's inputs have no digest yet."""
        phase, ins = self.phase, self.inputs[i]
        if len(ins) > 1:
            ins = tuple(dict.fromkeys(ins))
        return sum([phase[j] != RESOLVED for j in ins])

    def value_inputs(self, i: int) -> list[int]:
        """Return the inputs whose values a node takes, each once; not those it only runs after."""
        ins = self.inputs[i]
        extra = self.plan.graph.extras.get(i)
        if extra is not None and extra.after:
            ins = ins[: len(ins) - extra.after]
        return list(dict.fromkeys(ins)) if len(ins) > 1 else list(ins)

    def has_value(self, i: int) -> bool:
        """Return whether the value of a resolved node can be had without running it."""
        return i in self.stored or i in self.held or i in self.literal

    def source(self, i: int) -> Handle | Literal:
        """Return how a step gets the value of a resolved node."""
        if i in self.literal:
            return Literal(self.literal[i])
        checksum, codec = self.stored.get(i, (None, ""))
        return Handle(self.held.get(i, i), checksum, codec)

    def resolve(self, i: int) -> list[int]:
        """Note that a node's digest is known, and return the users that now wait for nothing."""
        phase, missing = self.phase, self.missing
        phase[i] = RESOLVED
        ready = []
        for user in self.users[i]:
            if phase[user] == WAITING:
                missing[user] -= 1
                if not missing[user]:
                    ready.append(user)
        if i in self.stored or i in self.held or not self.asked[i]:
            self._free(i)
        if not self.asked[i]:
            self._drop(i)
        return ready

    def ask(self, i: int) -> None:
        """Hold a node's value for one more."""
        self.asked[i] += 1

    def unask(self, i: int) -> None:
        """Take back one `ask`, and let go of what nothing can ask for any more."""
        self.asked[i] -= 1
        if not self.asked[i]:
            if self.phase[i] in (RESOLVED, IDLE):
                self._free(i)
            self._drop(i)

    def _count(self, i: int) -> None:
        self.counted[i] = 1
        for j in self.value_inputs(i):
            self.asked[j] += 1

    def _free(self, i: int) -> None:
        """Stop holding the inputs of a node, and of those above it that only it could ask for."""
        stack = [i]
        counted, asked, phase = self.counted, self.asked, self.phase
        while stack:
            node = stack.pop()
            if not counted[node]:
                continue
            counted[node] = 0
            for j in self.value_inputs(node):
                asked[j] -= 1
                if not asked[j]:
                    if phase[j] in (RESOLVED, IDLE):
                        stack.append(j)
                    self._drop(j)

    def _drop(self, i: int) -> None:
        if self.phase[i] != RESOLVED:
            return
        if i in self.held:
            number = self.held.pop(i)
            if number == i:
                self._release(i)
            else:
                self.unask(number)
        elif i in self.stored:
            # A session keeps what it loaded from the store under the node's number.
            self._release(i)

    def reopen(self, i: int) -> None:
        """Make a resolved node wait again, because its value is wanted and not to be had."""
        self.phase[i] = WAITING
        if not self.counted[i]:
            self._count(i)
        for user in self.users[i]:
            if self.phase[user] == WAITING:
                self.missing[user] += 1

    def fail(self, i: int) -> Iterable[int]:
        """Mark a node and all below it as failed; yield those below."""
        stack = [i]
        self.phase[i] = FAILED
        while stack:
            node = stack.pop()
            for user in self.users[node]:
                if self.phase[user] in (WAITING, IDLE, READY):
                    self.phase[user] = FAILED
                    stack.append(user)
                    yield user
