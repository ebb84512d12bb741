"""What the versions and records of a store want kept."""

from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from dualdag.errors import StoreError
from dualdag.store._marks import ARTIFACT, DEAD, DROPPED, LIVE, Marks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dualdag.store._facts import Version
    from dualdag.store._published import Published

__all__ = ["Limits", "addresses", "lineage_of", "mark_records", "mark_versions"]

#: Versions noted at once.
_PAGE = 500
#: Of a key: a version that goes has it, no other; an old version that stays was made of it; a recent one was.
_GOES, _OLD, _RECENT = -1, 0, 1


class Limits(NamedTuple):
    """What a collector keeps.

    Parameters
    ----------
    keep : int or None
        Versions of each artifact; None keeps all, as far as `versions_from` says nothing else.
    versions_from : float or None
        Versions made from then on stay.
    results_from : float
        Results and journals from then on stay.
    objects_from : float
        Objects written from then on stay, whatever they are.
    max_bytes : int or None
        What all objects together may take.
    """

    keep: int | None
    versions_from: float | None
    results_from: float
    objects_from: float
    max_bytes: int | None


def mark_versions(store: Published, marks: Marks, limits: Limits, *, lineage: bool = True) -> None:
    """Note which versions stay, and what they want kept.

    Parameters
    ----------
    store : Published
        Where they are.
    marks : Marks
        Takes it down.
    limits : Limits
        What is to be kept.
    lineage : bool
        Whether to read what they were made of.
    """
    found = _versions(store, limits)
    while page := list(itertools.islice(found, _PAGE)):
        rows = []
        refs = []
        for version, kept in page:
            every = addresses(version)
            held = sum(len(one) for one in every if len(one) != 32)
            rows.append((version.name, version.number, version.created, version.run, kept, held))
            refs += [(one, version.name, version.number) for one in every if len(one) == 32]
        marks.put("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)", rows)
        marks.put("INSERT OR IGNORE INTO refs VALUES (?, ?, ?)", refs)
        if lineage:
            _mark_kept(store, marks, limits, [version for version, kept in page if kept])
            _mark_dropped(marks, [version for version, kept in page if not kept])


def _versions(store: Published, limits: Limits) -> Iterator[tuple[Version, bool]]:
    """Yield each version with whether it stays."""
    for name in store._artifacts.known():
        for place, version in enumerate(store._artifacts.readable(name)):
            yield version, place == 0 or _stays(version, place, limits)


def _stays(version: Version, place: int, limits: Limits) -> bool:
    if limits.keep is None and limits.versions_from is None:
        return True
    few = limits.keep is not None and place < limits.keep
    return few or (limits.versions_from is not None and version.created >= limits.versions_from)


def _mark_kept(store: Published, marks: Marks, limits: Limits, versions: Sequence[Version]) -> None:
    marks.want((one, ARTIFACT, version.seconds, version.created) for version in versions for one in addresses(version))
    rows = []
    for version in versions:
        recent = _RECENT if version.created >= limits.results_from else _OLD
        keys = [version.trace, version.action, *map(bytes.fromhex, lineage_of(store, version).get("lineage", ()))]
        rows += [(key, recent) for key in keys]
    _mark_lineage(marks, rows)


def _mark_dropped(marks: Marks, versions: Sequence[Version]) -> None:
    """Note what was asked to go, young as it may be."""
    marks.want((one, DROPPED, version.seconds, version.created) for version in versions for one in addresses(version))
    _mark_lineage(marks, ((key, _GOES) for version in versions for key in (version.trace, version.action)))


def _mark_lineage(marks: Marks, rows: Iterable[tuple[bytes, int]]) -> None:
    marks.put(
        "INSERT INTO lineage VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET recent=max(recent, excluded.recent)", rows
    )


def lineage_of(store: Published, version: Version) -> dict[str, Any]:
    """Return what a version was made of; nothing, with a warning, where that can't be read.

    Parameters
    ----------
    store : Published
        Where it is.
    version : Version
        Of an artifact.
    """
    if version.details is None:
        return {}
    try:
        return store.details(version.details)
    except StoreError as error:
        warnings.warn(
            f"what version {version.number} of {version.name!r} was made of is not known: {error}", stacklevel=2
        )
        return {}


def addresses(version: Version) -> tuple[bytes, ...]:
    """Return where a version's value lies, and what it was made of.

    Parameters
    ----------
    version : Version
        Of an artifact.
    """
    every = (version.checksum, version.details, version.code)
    return tuple(one for one in every if one is not None)


def mark_records(store: Published, marks: Marks, limits: Limits) -> None:
    """Note what the records of a store want kept; its versions were marked.

    Parameters
    ----------
    store : Published
        Refreshed before.
    marks : Marks
        Takes it down.
    limits : Limits
        What is to be kept.
    """
    late = store._records.superseded()
    for keys in store._records.pages():
        lineage = dict(marks.those("SELECT key, recent FROM lineage WHERE key IN", keys))
        wanted: list[tuple[bytes | None, int, float, float]] = []
        for key, record in store._records.find(keys).items():
            made = lineage.get(key)
            # What a refresh gave must not be made anew while a version tells of it.
            in_force = made in (_OLD, _RECENT) and key in late
            live = made == _RECENT or in_force or (made != _GOES and record.created >= limits.results_from)
            why = LIVE if live else DROPPED if made == _GOES else DEAD
            wanted.append((record.checksum, why, record.seconds, record.created))
        marks.want(wanted)
