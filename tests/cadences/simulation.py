"""Days on end, tick by tick: dualdag beside the reference.  ``python -m tests.cadences.simulation SEEDS DAYS``."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
import types
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dualdag as dag
from dualdag.cli import _due
from tests.cadences.reference import Lost, Reference, cron_times
from tests.cadences.world import SOURCES, World, artifacts

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CRONS = (("30 2 * * *", "Europe/Berlin"), ("*/30 1-3 * * 1-5", "America/New_York"))
#: Clocks change in America after 12 and in Europe after 33 days; in Europe after 6 and in America after 13.
STARTS = (datetime(2026, 2, 24, 22, tzinfo=UTC), datetime(2026, 10, 18, 22, tzinfo=UTC))


class Simulation:
    """One history, drawn from a seed."""

    def __init__(self, seed, days, every, folder):
        self.rng = random.Random(seed)
        self.days, self.every = days, every
        self.start = self.now = STARTS[seed % 2]
        self.folder = Path(folder)
        self.store = str(self.folder / "store")
        self.world = World.new(self.folder)
        span = (self.start - 3 * DAY, self.start + (days + 3) * DAY)
        times = {text: cron_times(text, tz, *span) for text, tz in CRONS}
        self.reference = Reference(artifacts(CRONS), times)
        self.happened = Counter()
        self.back_at = self.rng.randrange(days // 3, days)
        # The first two histories, which every test run has, do not sleep through a change of the clock.
        first = max(days // 2, 15) if seed < 2 else 1
        self.sleep_at = self.rng.randrange(first, max(days * 3 // 4, first + 1))
        self.asleep_until = self.start
        self._nodes = None, {}

    def nodes(self):
        """The flow, written anew where its code changed."""
        code = self.world.code(*SOURCES)
        if self._nodes[0] != code:
            self._nodes = code, self.world.nodes(CRONS)
        return self._nodes[1]

    def run(self):
        for hour in range(self.days * 24):
            self.change(hour)
            self.now += HOUR
            if self.now >= self.asleep_until and hour % self.every == 0:
                self.tick(self.now + timedelta(seconds=self.rng.randrange(3600)))
            if hour % 24 == 23:
                self.compare(self.reference.kept)
        return self.happened

    def change(self, hour):
        """Let data arrive, code be edited, objects be lost, the clock be wrong."""
        rng, day = self.rng, hour // 24
        for name, share in (("a", 0.1), ("b", 0.05)):
            if rng.random() < share:
                self.world.write(name, rng.randrange(10))
                self.happened["data"] += 1
        if rng.random() < 0.01:
            self.world.effects[rng.choice(list(SOURCES))] = rng.randrange(3)
            self.happened["edits"] += 1
        if rng.random() < 0.005:
            self.world.notes[rng.choice(list(SOURCES))] += 1
            self.happened["edits without effect"] += 1
        if rng.random() < 0.012:
            self.lose(rng.choice(list(self.reference.artifacts)))
        if rng.random() < 0.005:
            self.by_hand()
        if hour == self.back_at * 24 + 7:
            self.now -= timedelta(hours=rng.randrange(2, 50))
            self.happened["clock set back"] += 1
        if hour == self.sleep_at * 24 + 5:
            self.asleep_until = self.now + min(14, self.days // 4) * DAY
            self.happened["sleeps"] += 1

    def lose(self, name):
        kept = self.reference.kept[name]
        if name == "ice" or not kept.versions:  # of a frozen one there is no way back but an edit
            return
        self.reference.objects.discard(kept.versions[-1].value)
        checksum = dag.store(self.store).latest(name).checksum.hex()
        for path in (Path(self.store) / "objects").rglob(f"*{checksum[4:]}*"):
            path.unlink()
        self.happened["objects lost"] += 1

    def by_hand(self):
        """Make the manual one again, as one does whose value is lost too."""
        with dag.configure(now=self.now):
            value = dag.run(self.nodes()["hand"], refresh=["hand"], store=self.store, backend="sync", progress="off")
        self.reference.tick(self.world, self.now, names=["hand"], refresh=["hand"])
        assert value == self.reference.kept["hand"].versions[-1].value
        self.happened["made by hand"] += 1

    def tick(self, now):
        """Ask what is due, of both."""
        try:
            expected = self.reference.tick(self.world, now)
        except Lost:
            expected = None
        try:
            with dag.configure(now=now):
                found = _due.of_due(self.nodes(), store=self.store, backend="sync", progress="off", workers=None)
        except dag.CorruptObjectError:
            assert expected is None, now
            self.happened["ticks that told of a lost manual one"] += 1
            self.by_hand()
            return
        broken = {row["name"] for row in found.document["broken"]}
        assert broken == self.reference.broken, now
        assert bool(broken) == (found.status == 3)
        assert expected is not None, now
        ran = {row["name"] for row in found.document["artifacts"] if row["action"] == "run"}
        assert ran == expected, (now, ran, expected)
        self.happened["ticks"] += 1
        self.happened["runs of artifacts"] += len(ran)
        touched = {row["name"] for row in found.document["due"]}
        self.happened["ticks with nothing due"] += not touched
        self.compare({name: self.reference.kept[name] for name in touched})
        self.announced(found, now)
        if broken:
            self.happened["ticks that told of a lost manual one"] += 1
            self.by_hand()

    def announced(self, found, now):
        """Hold what was said to come next against what is due then, and not a minute before."""
        for row in found.document["next"]:
            if row["at"] is None or row["name"] in {
                one["name"] for one in found.document["left"] + found.document["broken"]
            }:
                continue
            at = datetime.fromisoformat(row["at"])
            name = row["name"]
            assert self.reference.due(name, self.world, max(at, now)), (now, name, at)
            early = at - 62 * timedelta(seconds=1)
            if early > now:
                assert not self.reference.due(name, self.world, early), (now, name, at)

    def compare(self, kept):
        store = dag.store(self.store)
        for name, one in kept.items():
            if not one.versions:
                continue
            last, confirmed = store.latest(name), store.last_confirmed(name)
            assert last.number == len(one.versions), (name, self.now)
            assert datetime.fromtimestamp(last.created, UTC) == one.versions[-1].created, (name, self.now)
            if one.versions[-1].value in self.reference.objects:
                assert dag.load(name, store=self.store) == one.versions[-1].value, (name, self.now)
            said = None if confirmed is None else (confirmed.version, datetime.fromtimestamp(confirmed.created, UTC))
            assert said == ((one.confirmed[-1][0], one.confirmed[-1][1].created) if one.confirmed else None)

    def compare_all(self):
        """Hold all that was ever written against the reference."""
        store = dag.store(self.store)
        for name, one in self.reference.kept.items():
            rows = list(reversed(store.versions(name))) if one.versions else []
            assert [row.created for row in rows] == [made.created for made in one.versions], name
            for row, made in zip(rows, one.versions, strict=True):
                if made.value in self.reference.objects:
                    assert dag.load(name, row.version, store=self.store) == made.value
            folder = Path(self.store) / "artifacts" / name / "confirmations"
            written = len(list(folder.iterdir())) if folder.is_dir() else 0
            assert written == len(one.confirmed), name
            self.happened["versions"] += len(rows)
            self.happened["confirmations"] += written


def simulate(seed, days, every=1):
    """Return what happened in one history, a tick `every` so many hours; AssertionError where the two differ."""
    # What was written within the last instant is read again, as its time can't tell of a later write: here each
    # write has a time of its own, so that the clock which decides may be an hour ahead.
    from dualdag.hashing import _file_tokens, _files

    ahead = types.SimpleNamespace(time_ns=lambda: time.time_ns() + 3600 * 10**9, time=lambda: time.time() + 3600)
    before = _files.time, _file_tokens.time
    _files.time = _file_tokens.time = ahead
    folder = tempfile.mkdtemp()
    try:
        simulation = Simulation(seed, days, every, folder)
        happened = simulation.run()
        simulation.compare_all()
    except BaseException as error:
        error.add_note(f"seed {seed}, {days} days, at {simulation.now}")
        raise
    finally:
        _files.time, _file_tokens.time = before
        shutil.rmtree(folder, ignore_errors=True)
    return happened


def main(seeds, days):
    total = Counter()
    for seed in range(seeds):
        began = time.perf_counter()
        happened = simulate(seed, days)
        total += happened
        print(f"seed {seed}: {happened['ticks']} ticks, {time.perf_counter() - began:.0f} s", flush=True)
    print(f"{seeds} histories of {days} days: every tick equal")
    for what, count in sorted(total.items()):
        print(f"  {count:7} {what}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
