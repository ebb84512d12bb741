"""Damaged files in stores: ours and the peers', the same mutations, each read in a fork.

What is stored is a frame of 500 rows and 3 columns, by each one's own cache, as its manual says.  The file that
holds it is damaged; then the cached function is called again.
"""

from __future__ import annotations

import importlib
import os
import random
import shutil
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks._damage_peers import PEERS, Peer
from tests.faults.damage import from_child, mutate

__all__ = ["FIGURES", "page"]

HEAD = ("store", "damage", "mutations", "right", "recomputed", "error", "silently wrong", "interpreter killed or hung")
#: As an earlier run of the peers had it: one bit, the end gone, a run of zeros.
BYTES = {"flip": 60, "cut": 20, "zeros": 20}
PATIENCE = 30.0
_BATCH = 50


def _weights(chosen: dict[str, int]) -> list[int]:
    from tests.faults.damage import KINDS

    return [chosen.get(kind, 0) for kind in KINDS]


def _figure(name: str) -> Callable[[int], Iterator[Sequence[str]]]:
    def rows(count: int) -> Iterator[Sequence[str]]:
        kinds = (("its bytes", BYTES, count), ("another's valid file", {"swap": 1}, max(1, count // 50)),
                 ("it is gone", {"gone": 1}, max(1, count // 50)))  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            peer = PEERS[name](Path(folder) / "store")
            for module in ("pandas", "pyarrow", *peer.modules):
                importlib.import_module(module)
            before = os.getcwd()
            os.chdir(folder)
            try:
                for _ in from_child(lambda tell: peer.fill(), 300.0):
                    raise RuntimeError(f"{name} could not be filled")
                whole = {path: path.read_bytes() for path in peer.folder.rglob("*") if path.is_file()}
                target, other = peer.files()
                for what, chosen, many in kinds:
                    found = _tried(peer, whole, target, other, chosen, many)
                    cells = (found[cell] for cell in ("right", "recomputed", "error", "wrong", "killed"))
                    yield name, what, str(sum(found.values())), *map(str, cells)
            finally:
                os.chdir(before)

    return rows


def _tried(
    peer: Peer, whole: dict[Path, bytes], target: Path, other: Path, chosen: dict[str, int], count: int
) -> Counter[str]:
    found: Counter[str] = Counter()
    done = 0
    while done < count:
        began = done

        def batch(tell: Callable[[object], object], first: int = done) -> None:
            for number in range(first, min(count, first + _BATCH)):
                tell({"begins": number})
                rng = random.Random(f"damage:{number}")
                data = whole[target]
                while data == whole[target]:
                    _, data = mutate(rng, whole[target], [whole[other]], weights=_weights(chosen))
                _put(peer.folder, whole, target, data)
                tell({"found": _read(peer)})

        for told in from_child(batch, PATIENCE):
            if "begins" in told:
                began = told["begins"]
                continue
            found["killed" if "ended" in told else told["found"]] += 1
            done = began + 1
    return found


def _put(folder: Path, whole: dict[Path, bytes], target: Path, data: bytes | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path, kept in whole.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kept)
    if data is None:
        target.unlink()
    else:
        target.write_bytes(data)


def _read(peer: Peer) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value, calls = peer.read()
        except Exception:  # noqa: BLE001 - whatever it is, it was told of
            return "error"
    try:
        right = value.equals(peer.value()) and value.dtypes.equals(peer.value().dtypes)
    except Exception:  # noqa: BLE001 - no frame at all
        right = False
    return ("recomputed" if calls else "right") if right else "wrong"


def page(rows: Sequence[Sequence[str]]) -> str:
    """Return the table of the suite."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return (
        "A cached frame of 500 rows and 3 columns; its file is damaged (60 % one bit, 20 % cut, 20 % a run of zeros), "
        "changed for another's of the same store, or removed; then the cached function is called again, in a fork. "
        f"Written {time.strftime('%Y-%m-%d', time.gmtime())}.\n\n" + "\n".join(lines) + "\n"
    )


FIGURES = {name: _figure(name) for name in PEERS}
