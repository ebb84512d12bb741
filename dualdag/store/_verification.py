"""What a check of a whole store found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["LISTED", "Problem", "Progress", "Verification"]

#: Takes how many files and how many bytes were read so far.
Progress = Callable[[int, int], object]
#: So many problems are listed one by one; the rest are counted.
LISTED = 1000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was written.

    Parameters
    ----------
    path : str
        The file, from the store's root.
    kind : {"damaged", "missing", "untrusted", "newer", "unreadable"}
        Bytes that are not those that were written; a version whose value is gone; a signature that is not
        accepted; a layout that this dualdag does not know; a file that could not be read.
    told : str
        What is wrong with it.
    done : str
        What was done about it; empty where nothing was.
    """

    path: str
    kind: str
    told: str
    done: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """What `Store.check` found.

    Parameters
    ----------
    url : str
        The store.
    whole : bool
        Whether nothing is wrong that is not dealt with.
    files, nbytes : int
        How much was read, by this call and by those that it went on from.
    seconds : float
        How long this call took.
    rate : float
        Bytes read in a second by this call.
    counts : mapping of str to int
        How many there are of each kind: objects, batches, records, facts and so on.
    found : mapping of str to int
        How many problems there are of each kind.
    problems : tuple of Problem
        The first thousand.
    dropped : int
        Objects that records tell of and that are not there, and no version needs: made again when wanted.
    orphans, orphan_bytes : int
        Objects that nothing names, which ``dualdag gc`` removes.
    leftovers, leftover_bytes : int
        Temporary files of processes that were killed, and what was set aside as damaged.
    removed : int
        How many leftovers were removed.
    strange : tuple of str
        Names that are none of a store's; the first thousand.
    again : tuple of str
        What the next run makes again, if it is asked for.
    resumed : bool
        Whether it went on from where one before was stopped.
    repaired : bool
        Whether it was to mend what it found.
    """

    url: str
    whole: bool
    files: int
    nbytes: int
    seconds: float
    rate: float
    counts: Mapping[str, int]
    found: Mapping[str, int]
    problems: tuple[Problem, ...]
    dropped: int
    orphans: int
    orphan_bytes: int
    leftovers: int
    leftover_bytes: int
    removed: int
    strange: tuple[str, ...]
    again: tuple[str, ...]
    resumed: bool
    repaired: bool
