"""Damage to the files of a store, in forked children: what is read then, and whether a run heals it.

A store is written once; each mutation starts from its files as they were.  A child tells of each mutation before
and after it, so that one which ends the interpreter, or hangs, is counted and the next child goes on.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from blake3 import blake3

#: Mutations of a child, and seconds that one may take.
BATCH = 100
PATIENCE = 60.0
KINDS = ("flip", "flips", "cut", "zeros", "longer", "swap", "gone")
WEIGHTS = (30, 15, 15, 15, 10, 10, 5)


def mutate(rng, data, others, *, gone=True, weights=WEIGHTS):
    """Return the name of a random mutation and what becomes of a file's bytes; None if it goes."""
    kind = rng.choices(KINDS, weights)[0]
    made = bytearray(data)
    if kind == "swap" and others:
        return kind, rng.choice(others)
    if kind == "gone" and gone:
        return kind, None
    if not data or kind == "longer":
        return "longer", data + rng.randbytes(rng.randint(1, 64))
    if kind == "cut":
        return kind, data[: rng.randrange(len(data))]
    if kind == "zeros":
        start = rng.randrange(len(data))
        end = min(len(data), start + rng.randint(1, 512))
        made[start:end] = bytes(end - start)
    else:
        for _ in range(rng.randint(2, 20) if kind == "flips" else 1):
            made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
    return kind, bytes(made)


class Store:
    """A store's files as they were, and the folder that they are put back into."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.files = {}
        self._state = {}

    def remember(self, without=()):
        """Take the files as they are now for how they should be, but those whose names begin with one of `without`."""
        self.files = {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and not path.name.endswith(("-wal", "-shm"))
        }
        self.files = {name: data for name, data in self.files.items() if not name.startswith(tuple(without))}

    def put_back(self):
        """Let the folder hold these files alone; what is as it was is left."""
        there = set()
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            if path.is_dir() and not path.is_symlink():
                continue
            # A file of the cache is written in place, any other is a new one if it is not the old one.
            if self._state.get(name) == path.stat().st_ino and not name.startswith("cache/"):
                there.add(name)
            else:
                path.unlink()
        for name, data in self.files.items():
            if name not in there:
                path = self.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                self._state[name] = path.stat().st_ino

    def write(self, name, data):
        """Give a file other bytes, or none."""
        self._state.pop(name, None)
        (self.folder / name).unlink()
        if data is not None:
            (self.folder / name).write_bytes(data)


def in_child(do, patience=600.0):
    """Return what `do` returned in a fork, as plain data."""
    answers = list(from_child(lambda tell: tell(do()), patience))
    assert len(answers) == 1, "the child ended without an answer"
    return answers[0]


def from_child(do, patience=PATIENCE):
    """Yield what a fork tells of; if it ends badly or falls silent for too long, the last thing is its end."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(read)
            with os.fdopen(write, "w") as pipe:
                do(lambda told: print(json.dumps(told), file=pipe, flush=True))
            status = 0
        except BaseException:  # noqa: BLE001 - it ends here, whatever it is
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(write)
    rest, hung = b"", False
    try:
        while True:
            if not select.select([read], [], [], patience)[0]:
                hung = True
                break
            piece = os.read(read, 1 << 16)
            if not piece:
                break
            *lines, rest = (rest + piece).split(b"\n")
            yield from map(json.loads, lines)
    finally:
        os.close(read)
        if hung:
            os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if hung or status:
        yield {"ended": "hung" if hung else f"status {status}"}


def fuzz(store, targets, damaged, ways, count, seed, every=1, *, gone=True):
    """Return how often each thing came of `count` mutations of files, and what is told of those that went wrong.

    Parameters
    ----------
    store : Store
        What is damaged.
    targets : list of lists of str
        Names of files; one of a list may be given another's bytes.
    damaged : callable
        `one`, or what calls it.
    ways : (callable, callable)
        Reads: returns "right", "refused", or says what is wrong; heals: returns "healed", or says so.
    count, seed, every
        How many mutations, from which seed, and of how many one is healed.
    gone : bool
        Whether files may go.
    """
    found, examples = Counter(), []
    done = 0
    while done < count:
        first, last, began = done, min(count, done + BATCH), done

        def batch(tell, first=first, last=last):
            for number in range(first, last):
                tell({"begins": number})
                tell(damaged(store, targets, ways if number % every == 0 else ways[:1], f"{seed}:{number}", gone))

        for told in from_child(batch):
            if "begins" in told:
                began = told["begins"]
                continue
            done = began + 1
            if "ended" in told:
                found.update(("tried", "crashed"))
                examples.append(f"{seed}:{began} {told['ended']}")
            else:
                found.update(told["found"])
                examples += told["examples"]
    return found, examples


def one(store, targets, ways, seed, gone):
    """Damage one file; return what came of it."""
    rng = random.Random(seed)
    family = rng.choice(targets)
    name = rng.choice(family)
    kind, data = mutate(rng, store.files[name], [store.files[other] for other in family if other != name], gone=gone)
    if data == store.files[name]:
        return {"found": ["no change"], "examples": []}
    found, examples = ["tried"], []
    for way in ways:
        # Each from the damaged store: what reading set aside would else be gone.
        store.put_back()
        store.write(name, data)
        said = _said(way)
        found.append(said if said in ("right", "refused", "healed") else _sort_of(said, way is ways[0]))
        if said not in ("right", "refused", "healed"):
            examples.append(f"{seed} {kind} of {name}: {said}"[:600])
    return {"found": found, "examples": examples}


def _said(way):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return way()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
        traceback.print_exc()
        return f"raised {type(error).__name__}: {error}"


def _sort_of(said, reading):
    for sort in ("wrong", "unverified"):
        if said.startswith(sort):
            return sort
    return "raised" if reading else "not healed"


def verified_spy():
    """Return a list that takes what is decoded without being what was stored."""
    from dualdag.store import _codecs

    unknown = []
    real = _codecs.decode_value

    def decode(codec, data, **more):
        whole = Path(data).read_bytes() if isinstance(data, (str, os.PathLike)) else bytes(data)
        if blake3(whole).digest() not in good:
            unknown.append(codec)
        return real(codec, data, **more)

    good = set()
    _codecs.decode_value = decode
    return good, unknown


def table(rows):
    """Return the rows of a report as Markdown."""
    columns = ("mutations", "right", "refused", "wrong", "unverified", "raised", "crashed", "healed", "not healed")
    lines = ["| what is damaged | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, found in rows:
        cells = [str(found["tried" if column == "mutations" else column]) for column in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def report(path, name, found, seconds):
    """Add a row to a report, in a file of its own per row, so that several processes may write."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    row = {"name": name, "found": dict(found), "seconds": round(seconds, 1), "at": time.time()}
    (folder / f"{name.replace(' ', '-').replace(':', '')}.json").write_text(json.dumps(row))
    rows = [json.loads(one.read_text()) for one in sorted(folder.glob("*.json"))]
    text = table([(row["name"], Counter(row["found"])) for row in rows])
    (folder / "report.md").write_text(text)
