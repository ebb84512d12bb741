"""Numbered files that only grow in number: up to 999 beside one another, then a thousand to a folder.

So the newest is found by two short listings, however many there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dualdag.store._fs import numbered

if TYPE_CHECKING:
    from dualdag.store._fs import Entry, FileSystem

__all__ = ["descending", "entries", "get", "groups", "newest", "place"]

_GROUP = 1000
_NAME = re.compile("[0-9]{5,7}", re.ASCII)


def place(folder: str, number: int) -> str:
    """Return where the file of a number lies.

    Parameters
    ----------
    folder : str
        Of the series.
    number : int
        From 1.

    Examples
    --------
    >>> place("v", 7), place("v", 12_345)
    ('v/00000007', 'v/00012/00012345')
    """
    return f"{folder}/{number:08d}" if number < _GROUP else f"{folder}/{number // _GROUP:05d}/{number:08d}"


def groups(names: Iterable[str]) -> list[str]:
    """Return those names of a series' folder that are folders of a thousand, the lowest first.

    Parameters
    ----------
    names : iterable of str
        What lies in it.

    Examples
    --------
    >>> groups(["00000007", "00012", "00002", "notes"])
    ['00002', '00012']
    """
    return sorted((name for name in names if _NAME.fullmatch(name)), key=int)


def newest(fs: FileSystem, folders: Sequence[str]) -> list[int]:
    """Return the highest number of each of several series, 0 for one that has none.

    Parameters
    ----------
    fs : FileSystem
        Where they lie.
    folders : sequence of str
        Of the series.
    """
    tops = fs.names_many(folders)
    found = [max(numbered(top, 8), default=0) for top in tops]
    left = {k: groups(top) for k, top in enumerate(tops)}
    while asked := [k for k, names in left.items() if names]:
        listed = fs.names_many([f"{folders[k]}/{left[k].pop()}" for k in asked])
        for k, names in zip(asked, listed, strict=True):
            number = max(numbered(names, 8), default=0)
            if number:
                found[k] = max(found[k], number)
                left[k] = []
    return found


def descending(fs: FileSystem, folder: str) -> Iterator[int]:
    """Yield the numbers of a series, the highest first; folders are listed as they are needed.

    Parameters
    ----------
    fs : FileSystem
        Where it lies.
    folder : str
        Of the series.
    """
    top = fs.names(folder)
    for group in reversed(groups(top)):
        yield from reversed(numbered(fs.names(f"{folder}/{group}"), 8))
    yield from reversed(numbered(top, 8))


def get(fs: FileSystem, folder: str, number: int) -> tuple[str, bytes | None]:
    """Return where the file of a number lies, and its bytes; None if there is none.

    Parameters
    ----------
    fs : FileSystem
        Where the series lies.
    folder : str
        Of the series.
    number : int
        From 1.
    """
    path = place(folder, number)
    data = fs.get(path)
    if data is None and number >= _GROUP:
        # Layout 1 had no folders.
        flat = f"{folder}/{number:08d}"
        found = fs.get(flat)
        if found is not None:
            return flat, found
    return path, data


def entries(fs: FileSystem, folder: str) -> Iterator[tuple[int, str, Entry]]:
    """Yield the number and path of each file of a series, the highest number first; of what else lies there 0.

    Parameters
    ----------
    fs : FileSystem
        Where it lies.
    folder : str
        Of the series.
    """
    top = fs.entries(folder)
    folders = {one.name for one in top if one.folder}
    for group in reversed(groups(folders)):
        for one in reversed(fs.entries(f"{folder}/{group}")):
            yield _number(one.name), f"{folder}/{group}/{one.name}", one
    for one in reversed(top):
        if one.name not in folders or not _NAME.fullmatch(one.name):
            yield _number(one.name), f"{folder}/{one.name}", one


def _number(name: str) -> int:
    return max(numbered([name], 8), default=0)
