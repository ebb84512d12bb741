"""Runs that claim, fall silent, come back, make and end, at random, against a model of who may hold what."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dualdag.store import Claims, _claims, _leases, _watch
from dualdag.store._fs import Entry, FileSystem
from dualdag.store._leases import Lease

SECONDS = 9.0
RUNS = 3
KEYS = [bytes([65 + k]) * 20 for k in range(6)]
runs = st.integers(0, RUNS - 1)
some = st.sets(st.sampled_from(KEYS), min_size=1)


class Place:
    """Files in a dict, dated by the test's clock as a machine sees it that is `skew` seconds off."""

    url = "test://"
    local = Path()

    def __init__(self, machine: ClaimsMachine, skew: float) -> None:
        self.files, self.machine, self.skew = machine.files, machine, skew

    def put_if_absent(self, path: str, parts: list[bytes]) -> bool:
        if path in self.files:
            return False
        self.files[path] = b"".join(parts), 1e9 + self.machine.now + self.skew
        return True

    def get(self, path: str) -> bytes | None:
        return self.files.get(path, (None,))[0]

    def get_many(self, paths: list[str]) -> list[bytes | None]:
        return [self.get(path) for path in paths]

    def size(self, path: str) -> int | None:
        data = self.get(path)
        return None if data is None else len(data)

    def entries(self, folder: str) -> list[Entry]:
        found = [path for path in self.files if path.startswith(f"{folder}/")]
        return sorted(Entry(path[len(folder) + 1 :], 1, self.files[path][1], False) for path in found)

    def remove(self, path: str) -> None:
        self.files.pop(path, None)


class ClaimsMachine(RuleBasedStateMachine):
    """Of runs whose hearts beat, no two hold one key; what a silent one held is free within its lease.

    The model: what each run was given, when it last gave a sign of life, and whether others took its keys since.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.files: dict[str, Any] = {}
        self.patches = [
            mock.patch.object(_leases, "clock", self.clock),
            mock.patch.object(_claims, "clock", self.clock),
            mock.patch.object(_watch, "clock", self.clock),
            mock.patch.object(Lease, "_go_on", return_value=None),
        ]
        for patch in self.patches:
            patch.start()
        self.claims: list[Claims | None] = [None] * RUNS
        self.held: list[set[bytes]] = [set() for _ in range(RUNS)]
        self.beaten = [0.0] * RUNS
        self.dead: dict[str, set[bytes]] = {}
        #: Recorded by now: nobody has to be given these.
        self.made: set[bytes] = set()
        self.begun = 0
        self.skews = [0.0] * RUNS

    def clock(self) -> float:
        return self.now

    @initialize(skews=st.lists(st.sampled_from([0.0, -3600.0, 3600.0]), min_size=RUNS, max_size=RUNS))
    def clocks(self, skews: list[float]) -> None:
        self.skews = skews

    def opened(self, k: int) -> Claims:
        claims = self.claims[k]
        if claims is None:
            self.begun += 1
            lease = Lease(cast("FileSystem", Place(self, self.skews[k])), f"run{self.begun}", SECONDS)
            claims = self.claims[k] = Claims(lease)
            self.beaten[k] = self.now
        return claims

    def signed(self, k: int) -> None:
        """A sign of life: what the run was given before is its own only as far as nobody took it."""
        claims = self.opened(k)
        self.held[k] = {key for key in KEYS if key[:16] in claims._mine}
        if self.now - self.beaten[k] > SECONDS / 2:
            self.beaten[k] = self.now

    @rule(k=runs, keys=some)
    def take(self, k: int, keys: set[bytes]) -> None:
        claims = self.opened(k)
        silent = {j for j in range(RUNS) if j != k and self.now - self.beaten[j] > SECONDS / 2}
        others = set().union(*(self.held[j] for j in range(RUNS) if j != k and j not in silent))
        got = claims.take(keys)
        self.signed(k)
        # Never what one holds whose heart beats; always what nobody holds.
        assert not got & (others - self.held[k])
        assert got <= keys
        assert got >= keys - set().union(*(self.held[j] for j in range(RUNS) if j != k), *self.dead.values(), self.made)
        for j in silent:
            self.held[j] -= got
        assert self.held[k] >= got

    @rule(k=runs)
    def beat(self, k: int) -> None:
        if self.claims[k] is not None:
            self.lives(k)

    def lives(self, k: int) -> None:
        claims = self.opened(k)
        claims.lease.beat()
        self.beaten[k] = self.now
        if claims.lease.epoch != claims._epoch:
            # It was fenced: what it held is not its own before it claims again.
            self.held[k] = set()

    def others_look(self, k: int) -> bool:
        """Let all others beat and look for more than a lease's length; say whether there are any."""
        rest = [j for j in range(RUNS) if j != k and self.claims[j] is not None]
        for _ in range(8 if rest else 0):
            self.now += SECONDS / 6
            for j in rest:
                self.lives(j)
                self.opened(j).look()
                self.opened(j).tidy()
        return bool(rest)

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(k=runs)
    def fall_silent_until_others_see_it(self, k: int) -> None:
        claims = self.claims[k]
        if claims is not None and self.others_look(k):
            self.held[k] = set()
            assert claims.lease.run not in self.holders()

    def holders(self) -> set[str | None]:
        rest = [claims for claims in self.claims if claims is not None]
        return {claims.holder(key) for claims in rest for key in KEYS}

    @rule(k=runs, keys=some)
    def make(self, k: int, keys: set[bytes]) -> None:
        if self.claims[k] is not None:
            for key in keys & self.held[k]:
                self.opened(k).done(key)
                self.made.add(key)
            self.held[k] -= keys

    @rule(k=runs, keys=some)
    def give_up(self, k: int, keys: set[bytes]) -> None:
        if self.claims[k] is None:
            return
        keys = keys & self.held[k]
        self.opened(k).give_up(keys)
        self.held[k] -= keys
        for j in range(RUNS):
            other = self.claims[j]
            if j != k and other is not None:
                other.look()
                other.tidy()
                assert all(other.holder(key) != self.opened(k).lease.run for key in keys)

    @rule(k=runs)
    def end(self, k: int) -> None:
        claims, self.claims[k] = self.claims[k], None
        if claims is not None:
            claims.close()
            self.held[k] = set()
            assert not [path for path in self.files if path.startswith(f"leases/{claims.lease.run}.")]

    @rule(k=runs)
    def die(self, k: int) -> None:
        """Nobody hears of it again; others take over what it held, at the latest after a lease's length."""
        claims, self.claims[k] = self.claims[k], None
        if claims is None:
            return
        self.dead[claims.lease.run], self.held[k] = self.held[k], set()
        if self.others_look(k):
            assert not self.dead.keys() & self.holders()
            self.dead.clear()

    @invariant()
    def no_two_whose_hearts_beat_hold_one_key(self) -> None:
        alive = [k for k in range(RUNS) if self.claims[k] is not None and self.now - self.beaten[k] <= SECONDS / 2]
        held = [key for k in alive for key in self.held[k]]
        assert len(held) == len(set(held))

    @invariant()
    def little_is_left(self) -> None:
        assert sum(path.startswith("leases/") for path in self.files) <= 2 * self.begun

    def teardown(self) -> None:
        for claims in self.claims:
            if claims is not None:
                claims.close()
        for patch in self.patches:
            patch.stop()


TestClaims = ClaimsMachine.TestCase
TestClaims.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
