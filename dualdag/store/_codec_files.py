"""Encoded values in files of this machine: mapped into memory, or written out for who wants a path."""

from __future__ import annotations

import atexit
import mmap
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["own_folder", "view", "written"]

_MAPPED = 1 << 20


def view(data: Any, *, mapped: bool) -> memoryview:
    """Return the bytes of a buffer or a local file, a large one mapped into memory if that is allowed.

    Parameters
    ----------
    data : buffer, str or path
        What holds them.
    mapped : bool
        Whether what is made of them needs them no longer.
    """
    if not isinstance(data, (str, os.PathLike)):
        return memoryview(data).cast("B")
    with Path(data).open("rb") as file:
        if mapped and os.fstat(file.fileno()).st_size >= _MAPPED:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return memoryview(file.read())


def written(data: Any) -> str:
    """Return a read-only file with these bytes, which goes when the process ends.

    Parameters
    ----------
    data : buffer
        What to write.
    """
    handle, name = tempfile.mkstemp(dir=own_folder(os.getpid()))
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(name).chmod(0o444)
    return name


@cache
def own_folder(process: int) -> str:
    """Return a folder of a process, which goes when it ends.

    Parameters
    ----------
    process : int
        Its number: a fork makes one of its own.
    """
    name = tempfile.mkdtemp(prefix="dualdag-files-")

    def remove() -> None:
        if os.getpid() == process:  # a fork ends without it
            shutil.rmtree(name, ignore_errors=True)

    atexit.register(remove)
    return name
