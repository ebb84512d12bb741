"""One run at a time: what a run of this machine is about to make, the next one leaves to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

__all__ = ["taken"]


@contextmanager
def taken(folder: Path, names: Iterable[str]) -> Iterator[dict[str, int]]:
    """Take the artifacts that nobody here has taken, until the block ends; give those that another process has.

    The system takes a lock away from a process that died, so none is ever left behind.  Where there can be no
    lock there is none: then the store alone sees to it that two runs agree.

    Parameters
    ----------
    folder : Path
        Where the lock files lie; may be deleted at any time.
    names : iterable of str
        Of artifacts.
    """
    others: dict[str, int] = {}
    with ExitStack() as stack:
        for name in sorted(names):
            with suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context((folder / blake2b(name.encode(), digest_size=16).hexdigest()).open("a+b"))
                if not _lock(file):
                    others[name] = _holder(file)
                    continue
                file.truncate(0)
                file.write(str(os.getpid()).encode())
                file.flush()
        yield others


def _holder(file: BinaryIO) -> int:
    file.seek(0)
    text = file.read(20)
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
