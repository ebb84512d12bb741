"""What a store does about its space, and how it moves."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, cast

from dualdag.config import parse_bytes
from dualdag.errors import ConfigError
from dualdag.graph import parse_duration
from dualdag.store._layout import this_user
from dualdag.store._published import Published

if TYPE_CHECKING:
    from collections.abc import Callable

    from dualdag.store._copy import Copied
    from dualdag.store._gc import Collected, Space
    from dualdag.store._store import Store

__all__ = ["Housekeeping"]

_DAY = 86_400.0


class Housekeeping(Published):
    """The part of a `Store` that keeps it small."""

    def gc(
        self,
        *,
        keep: int | None = None,
        older_than: str | float | None = None,
        max_bytes: str | int | None = None,
        dry_run: bool | None = None,
        grace: str | float = "1h",
    ) -> Collected:
        """Remove what nothing leads to any more, and old versions if asked to.

        The newest version of an artifact always stays, and so does what a run in progress may count on.

        Parameters
        ----------
        keep : int, optional
            Versions of each artifact that stay; without it, and without `older_than`, all do.
        older_than : str or float, optional
            Versions older than this go, but for the newest `keep`; so do results that are no artifacts, and
            journals.  An interval such as ``"30d"``, or seconds.  Without it versions have no age, and the rest
            stays for 30 days.
        max_bytes : str or int, optional
            What all objects together may take: results that took the least time for their size go first, then
            old versions beyond `keep`.
        dry_run : bool, optional
            Whether to tell only what would go.  Without it: if this user of this machine did not make the store.
        grace : str or float
            How long an object stays that nothing leads to yet.

        Raises
        ------
        ConfigError
            For a limit that is none.
        StoreError
            When it can't be read or written.

        Examples
        --------
        >>> from dualdag.store import open_store
        >>> open_store("memory://docs").gc(keep=3).versions
        0
        """
        from dualdag.store._gc import Collected, collect
        from dualdag.store._leases import place_time
        from dualdag.store._mark import Limits
        from dualdag.store._packs import pack_batches

        if keep is not None and (not isinstance(keep, int) or keep < 1):
            raise ConfigError(f"keep={keep!r} is no number of versions: at least one of each artifact stays.")
        age = _seconds(older_than, "older_than")
        waits = _seconds(grace, "grace") or 0.0
        size = None if max_bytes is None else _bytes(max_bytes)
        if dry_run is None:
            dry_run = self._marker is not None and self._marker.maker != this_user()
        if self._index_places() is None:
            return Collected(dry_run)
        if not dry_run:
            self._may_write()

        def limits(now: float) -> Limits:
            results = _before(now, 30 * _DAY if age is None else age)
            return Limits(keep, None if age is None else results, results, _before(now, waits), size)

        # What is not accepted is no garbage: somebody else may have the key.
        believing = self._believing()
        try:
            found = collect(believing, limits=limits, dry_run=dry_run)
        finally:
            if believing is not self:
                believing.close()
        now = time.time() if dry_run else place_time(self._fs) or time.time()
        # What is put in the place of records is signed as they are.
        batches = pack_batches(self, limits(now).objects_from, now, dry_run=dry_run)
        return dataclasses.replace(found, batches=batches)

    def sizes(self) -> tuple[Space, ...]:
        """Return what each artifact takes: bytes that deleting it would free, and those that others share."""
        from dualdag.store._gc import sizes

        return sizes(self)

    def copy_to(
        self,
        other: Store,
        *names: str,
        version: int | None = None,
        all_versions: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Copied:
        """Copy artifacts to another store, with the results and the artifacts that they were made from.

        A plan there finds what a plan here finds.  What is there already is not copied again, so a copy that was
        interrupted goes on when it is begun again.

        Parameters
        ----------
        other : Store
            Where to.  Versions come after those that are there, and keep their times.
        *names : str
            Artifacts; without any, all.
        version : int, optional
            Which one; the newest by default.
        all_versions : bool
            Whether to copy every version.
        progress : callable, optional
            Called with the number of objects that were copied, and their bytes.

        Raises
        ------
        ArtifactNotFoundError
            When one is not here.
        CorruptObjectError
            When a version can't be read.
        StoreError
            When there is no store here, or the other one has a newer version of an artifact.

        Examples
        --------
        >>> from dualdag.store import open_store
        >>> store = open_store("memory://docs-copied")
        >>> saved = store.save("x")
        >>> store.copy_to(open_store("memory://docs-copy")).versions
        0
        """
        from dualdag.store._copy import copy

        return copy(cast("Store", self), other, names, version=version, all_versions=all_versions, progress=progress)


def _before(now: float, age: float) -> float:
    """Return the time from which things are younger than `age`; of no age at all nothing is, whatever clocks say."""
    return now - age if age else float("inf")


def _seconds(given: str | float | None, name: str) -> float | None:
    if given is None:
        return None
    found = parse_duration(given) if isinstance(given, str) else None
    try:
        found = float(given) if found is None else found
    except (TypeError, ValueError):
        found = -1.0
    if not 0 <= found < float("inf"):
        raise ConfigError(f'{name}={given!r} is no interval: give one such as "30d" or "12h", or seconds.')
    return found


def _bytes(given: str | int) -> int:
    found = parse_bytes(given)
    if found is None:
        raise ConfigError(f'max_bytes={given!r} is no size: give one such as "10GB", or bytes.')
    return found
