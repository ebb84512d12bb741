"""Stores with one of their safeguards taken out, each of which the tests with faults must tell from a good one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from blake3 import blake3

from dualdag.store import Confirmation
from dualdag.store._address import SMALL, inline
from dualdag.store._artifacts import Artifacts
from dualdag.store._fs import LocalFolder
from dualdag.store._machine import current
from dualdag.store._objects import Objects, object_path
from dualdag.store._records import Records
from dualdag.store._superseding import Superseding


@dataclass(frozen=True)
class Mutant:
    """A safeguard that is taken out, and what must fail then.

    Parameters
    ----------
    patch : callable
        Takes it out, in this process.
    operation : str
        Which of the tries must see it.
    faults : tuple of str
        Under which of the faults; some show where nothing fails.
    sample : int
        How many points are tried.
    """

    patch: Callable[[], object]
    operation: str
    faults: tuple[str, ...] = field(default=("before",))
    sample: int = 1


def no_digest_check():
    def get(self, checksum):
        return self._fs.get(object_path(checksum)) if len(checksum) == 32 else real(self, checksum)

    real, Objects.get = Objects.get, get
    Objects._is_whole = lambda self, checksum, nbytes: self._fs.size(object_path(checksum)) is not None


def no_seal_check():
    from dualdag.store import _seal

    _seal._checksum = lambda *_args: bytes(32)


def no_atomic_publish():
    def put(self, path, parts):
        target = f"{self._root}/{path}"
        self._make(os.path.dirname(target))
        try:
            handle = current().create(target)
        except FileExistsError:
            return False
        for part in parts:
            current().write(handle, target, memoryview(part).cast("B"))
        current().close(handle)
        return True

    LocalFolder.put_if_absent = put


def no_healing():
    Objects._set_aside = lambda self, checksum: False


def no_exclusive_put():
    def publish(self, temporary, target, folder):
        current().rename(temporary, target)
        return True

    LocalFolder._publish = publish


class Late:
    """Objects that are written after what names them."""

    def __init__(self):
        self.waiting: list[tuple[Any, bytes]] = []
        self.put = Objects.put
        Objects.put = self.later(Objects.put)

    def later(self, real):
        def put(objects, parts):
            data = b"".join(bytes(part) for part in parts)
            if len(data) <= SMALL:
                return inline(data)
            self.waiting.append((objects, data))
            return blake3(data).digest()

        return put

    def after(self, real):
        def write(*args, **options):
            found = real(*args, **options)
            while self.waiting:
                objects, data = self.waiting.pop()
                self.put(objects, [data])
            return found

        return write


def record_before_object():
    Records.put = Late().after(Records.put)


def second_writer_keeps_its_own():
    real = Records.put

    def put(self, records, aliases):
        real(self, records, aliases)
        return list(records)

    Records.put = put


def confirmed_before_version():
    real = Artifacts.add

    def add(self, version):
        number = max(self._numbers(f"artifacts/{version.name}/versions"), default=0) + 1
        self.confirm(Confirmation(version.name, number, version.created, version.trace, version.own_part))
        return real(self, version)

    Artifacts.add = add


def superseded_by_trace_key_alone():
    Superseding.add = lambda self, record: self._write(record, (record.trace,))


def mark_of_deletion_last():
    real = Artifacts.delete

    def delete(self, name):
        folder = f"artifacts/{name}/versions"
        numbers = self._numbers(folder)
        for number in numbers[:-1]:
            self._fs.remove(f"{folder}/{number:08d}")
        real(self, name)
        return len(numbers)

    Artifacts.delete = delete


MUTANTS = {
    "no check of digests": Mutant(no_digest_check, "heal damaged objects"),
    "no check of seals": Mutant(no_seal_check, "verify --repair"),
    "no atomic publish": Mutant(no_atomic_publish, "publish a version", ("torn",), 7),
    "no healing": Mutant(no_healing, "heal damaged objects"),
    "no exclusive put": Mutant(no_exclusive_put, "second writer"),
    "record before object": Mutant(record_before_object, "run of 20 nodes", ("before",), 16),
    "second writer keeps its own": Mutant(second_writer_keeps_its_own, "second writer"),
    "confirmed before version": Mutant(confirmed_before_version, "publish a version", ("after",), 16),
    "superseded by trace key alone": Mutant(superseded_by_trace_key_alone, "refresh"),
    "mark of deletion last": Mutant(mark_of_deletion_last, "delete an artifact", ("after",), 8),
}
