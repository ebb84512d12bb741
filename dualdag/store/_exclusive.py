"""Which way a place has to give a name to one writer alone: tried out, never believed.

fsspec's ``pipe_file(mode="create")`` is a conditional put in some filesystems; others ignore the mode, or look
whether there is a file and write then, which of several writers at once lets more than one win.
"""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dualdag.store._fs import FileSystem

__all__ = ["Found", "Way", "find_way", "place_of", "race"]

#: Writers at once who try to get one name, and how often they try.
RACERS, ROUNDS = 16, 1
#: What is raised by what does not know of such a put.
_UNKNOWN = (TypeError, ValueError, NotImplementedError)


class Way(NamedTuple):
    """A way to write a file that must not be there.

    Parameters
    ----------
    name : str
        What it is called.
    put : callable
        Takes the filesystem, a path and bytes; raises FileExistsError.
    put_file : callable or None
        Takes the filesystem, a local file and a path.
    """

    # What was found out holds for all filesystems of a kind: none of them is held on to, nor taken along by a fork.
    name: str
    put: Callable[[Any, str, bytes], object]
    put_file: Callable[[Any, str, str], object] | None = None


class Found(NamedTuple):
    """What was found out about a place.

    Parameters
    ----------
    way : Way or None
        The first that gives a name to one writer alone.
    fault : str
        What is wrong with the others, if none does.
    """

    way: Way | None
    fault: str = ""


def place_of(fs: Any) -> tuple[object, ...]:
    """Return what tells places apart that have to be tried each for itself: the kind of filesystem and its options.

    Parameters
    ----------
    fs : fsspec.AbstractFileSystem
        Any.
    """
    inner = _inner(fs)
    if inner is not None:
        return (type(fs), *place_of(inner))
    return type(fs), repr(sorted(fs.storage_options.items()))


def find_way(fs: Any, folder: str) -> Found:
    """Try the ways of a filesystem.

    Parameters
    ----------
    fs : fsspec.AbstractFileSystem
        What to try.
    folder : str
        Where files may be made for an instant.

    Raises
    ------
    Exception
        What the place raises where nothing can be written at all.
    """
    faults = []
    for way in _ways(fs):
        fault = _fault(fs, way, folder)
        if not fault:
            return Found(way)
        faults.append(fault)
    return Found(None, "; ".join(faults))


def _inner(fs: Any) -> Any:
    """Return the filesystem that another one passes everything on to, if there is one."""
    from fsspec import AbstractFileSystem

    found = getattr(fs, "fs", None)
    return found if isinstance(found, AbstractFileSystem) and found is not fs else None


def _ways(fs: Any) -> Iterator[Way]:
    yield Way(
        "a conditional put",
        lambda fs, path, data: fs.pipe_file(path, data, mode="create"),
        lambda fs, file, path: fs.put_file(file, path, mode="create"),
    )
    if type(fs).__module__.partition(".")[0] == "obstore":
        yield _obstore_way()


def _obstore_way() -> Way:
    """Return obstore's own conditional put: its filesystem takes the mode and does nothing with it."""
    obstore = sys.modules["obstore"]

    def put(fs: Any, path: str, data: bytes) -> None:
        bucket, key = fs._split_path(path)
        try:
            obstore.put(fs._construct_store(bucket), key, data, mode="create")
        except obstore.exceptions.AlreadyExistsError as error:
            raise FileExistsError(path) from error

    return Way("obstore's conditional put", put)


def _fault(fs: Any, way: Way, folder: str) -> str:
    """Return what is wrong with a way; empty where it does what it says."""
    if way.name == "a conditional put" and not _has_put_of_its_own(fs):
        return "looks whether there is a file, and writes then"
    used: list[str] = []
    try:
        return _refusal(fs, way, folder, used) or next(
            filter(None, (_race(fs, way, folder, used) for _ in range(ROUNDS))), ""
        )
    finally:
        for path in used:
            try:
                fs.rm_file(path)
            except FileNotFoundError:
                pass


def _has_put_of_its_own(fs: Any) -> bool:
    # fsspec's own, which most have, looks first and writes then; asynchronous ones get theirs when they are made.
    from fsspec import AbstractFileSystem

    while fs is not None:
        if getattr(fs.pipe_file, "__func__", None) is AbstractFileSystem.pipe_file:
            return False
        fs = _inner(fs)
    return True


def _new(folder: str, used: list[str]) -> str:
    used.append(f"{folder}/{uuid.uuid4().hex}")
    return used[-1]


def _refusal(fs: Any, way: Way, folder: str, used: list[str]) -> str:
    """Try one writer after another."""
    path = _new(folder, used)
    fs.pipe_file(path, b"first")
    for data, what in ((b"second", "a file"), (b"", "a file by an empty one")):
        try:
            way.put(fs, path, data)
        except FileExistsError:
            pass
        except _UNKNOWN as error:
            return f"has none ({type(error).__name__}: {error})"
        else:
            return f"replaces {what}"
        if bytes(fs.cat_file(path)) != b"first":
            return f"replaces {what}, though it says that it does not"
    return ""


def _race(fs: Any, way: Way, folder: str, used: list[str]) -> str:
    """Let many writers try to get one name at once."""
    path = _new(folder, used)

    def write(data: bytes) -> bool:
        try:
            way.put(fs, path, data)
        except FileExistsError:
            return False
        return True

    won = _at_once(write)
    if len(won) != 1:
        return f"lets {len(won)} of {RACERS} writers at once have one name"
    return "" if bytes(fs.cat_file(path)) == won[0] else "keeps another file than the one it says was first"


def race(place: FileSystem) -> int:
    """Return how many of several writers at once were told that a name is theirs.

    Parameters
    ----------
    place : FileSystem
        Of a store.
    """
    path = f"scratch/{uuid.uuid4().hex}"
    try:
        return len(_at_once(lambda data: place.put_if_absent(path, [data])))
    finally:
        place.remove(path)


def _at_once(write: Callable[[bytes], bool]) -> list[bytes]:
    """Let many writers write at once, each something else; return what those wrote that were told so."""
    won: list[bytes] = []
    errors: list[BaseException] = []
    start = threading.Barrier(RACERS)

    def writer(data: bytes) -> None:
        start.wait()
        try:
            if write(data):
                won.append(data)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=writer, args=(b"%d" % k,), name="dualdag self-test") for k in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors and not won:
        raise errors[0]
    return won
