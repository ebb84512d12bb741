"""What stores ask of the operating system, and of fsspec, in one place: tests put another here that fails."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

__all__ = ["Machine", "current", "no_link", "put_in_place"]

_BINARY = getattr(os, "O_BINARY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
# Windows can't unlink what is read-only, and a hard link shares its attributes.
_MODE = 0o444 if os.name == "posix" else 0o666
# A link is not followed, and a pipe that somebody put there is not waited for.
_READ = os.O_RDONLY | _BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def no_link(path: str, _flags: int) -> int:
    """Open a file for reading, but no link; an opener for `open`."""
    return os.open(path, _READ)


class Machine:
    """The operating system's own calls; paths are absolute, with forward slashes."""

    def mkdir(self, folder: str, mode: int = 0o777) -> None:
        """Make a folder, of this mode, and those above it, as far as they are not there."""
        os.makedirs(folder, mode, exist_ok=True)

    def create(self, path: str) -> int:
        """Make a file that must not be there, and return its descriptor."""
        return os.open(path, _CREATE, _MODE)

    def write(self, file: int, path: str, data: memoryview) -> None:
        """Write all of `data`."""
        done = 0
        while done < data.nbytes:
            done += os.write(file, data[done : done + (1 << 30)])

    def fsync(self, file: int, path: str) -> None:
        """Bring a file's content to the disk."""
        os.fsync(file)

    def close(self, file: int) -> None:
        """Close a descriptor."""
        os.close(file)

    def link(self, path: str, to: str) -> None:
        """Give a file a second name, which must be free."""
        os.link(path, to)

    def rename(self, path: str, to: str) -> None:
        """Give a file another name, whatever had it."""
        os.replace(path, to)

    def unlink(self, path: str) -> None:
        """Remove a name."""
        os.unlink(path)

    def rmdir(self, folder: str) -> None:
        """Remove an empty folder."""
        os.rmdir(folder)

    def read(self, path: str, most: int) -> bytes:
        """Return a file's bytes; none if there are more than `most`, as memory is taken for all at once."""
        with open(path, "rb", buffering=0, opener=no_link) as file:
            return file.readall() if os.fstat(file.fileno()).st_size <= most else b""

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading, without a buffer."""
        return open(path, "rb", buffering=0, opener=no_link)

    def size(self, path: str) -> int:
        """Return a file's size."""
        return os.stat(path).st_size

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder."""
        return os.listdir(folder)

    def entries(self, folder: str) -> list[tuple[str, os.stat_result]]:
        """Return the names in a folder, and what is known of each; what goes meanwhile is left out."""
        found = []
        with os.scandir(folder) as listed:
            for one in listed:
                try:
                    found.append((one.name, one.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue
        return found

    def filesystem(self, fs: Any) -> Any:
        """Return what is to be called in place of a filesystem of fsspec."""
        return fs


_in_place = Machine()


def current() -> Machine:
    """Return what stores call."""
    return _in_place


def put_in_place(machine: Machine) -> Machine:
    """Let stores that are opened from now on call `machine`; return what they called before.

    Parameters
    ----------
    machine : Machine
        Any that does the same in the end, or fails.
    """
    global _in_place
    before, _in_place = _in_place, machine
    return before
