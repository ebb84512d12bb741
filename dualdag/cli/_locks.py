"""One run at a time: what a process of this machine is about to make, another one leaves to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Self

__all__ = ["Locks"]

_WIDTH = 20
_BINARY = getattr(os, "O_BINARY", 0)


class Locks:
    """Locks on artifacts, among the processes of this machine.

    The system takes a lock away from a process that died, so none is ever left behind.  Where there can be no
    lock, each is had at once: then the store alone sees to it that two runs agree.

    Parameters
    ----------
    folder : Path
        Where the lock files lie; may be deleted at any time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, BinaryIO | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release(list(self._held))

    def take(self, name: str) -> int | None:
        """Take the lock of an artifact; return None, or the process that has it, 0 where that is not known."""
        if name in self._held:
            return None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._open(name)
        except OSError:
            self._held[name] = None
            return None
        try:
            if not _lock(file):
                holder = _holder(file)
                file.close()
                return holder
            file.seek(0)
            file.write(f"{os.getpid():<{_WIDTH}}".encode())
            file.flush()
        except OSError:
            # The folder knows no locks, or is full.
            pass
        self._held[name] = file
        return None

    def take_all(self, names: Iterable[str]) -> bool:
        """Take several locks, or none."""
        new: list[str] = []
        for name in sorted(names):
            known = name in self._held
            if self.take(name) is not None:
                self.release(new)
                return False
            if not known:
                new.append(name)
        return True

    def release(self, names: Iterable[str]) -> None:
        """Let go of locks, as far as they are held."""
        for name in names:
            file = self._held.pop(name, None)
            if file is not None:
                file.close()

    def _open(self, name: str) -> BinaryIO:
        path = self._folder / blake2b(name.encode(), digest_size=16).hexdigest()
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666), "r+b")


def _holder(file: BinaryIO) -> int:
    file.seek(0)
    text = file.read(_WIDTH).strip()
    return int(text) if text.isdigit() else 0


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> bool:
        try:
            # Far behind what is written, as nobody else can read what is locked there.
            file.seek(1 << 20)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import errno
    import fcntl

    def _lock(file: BinaryIO) -> bool:
        try:
            # Of the process, not of the open file: a worker that was forked and outlives it does not keep it.
            fcntl.lockf(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EACCES, errno.EAGAIN}:
                return False
            raise
        return True
