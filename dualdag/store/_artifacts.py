"""Artifacts: versions and confirmations."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from numbers import Integral
from typing import TypeVar

import msgspec
from blake3 import blake3

from dualdag.errors import ArtifactNotFoundError, CorruptObjectError, GraphError, UntrustedRecordError, did_you_mean
from dualdag.graph import comes_due, parse_cadence, validate_name
from dualdag.store._facts import Confirmation, Tombstone, Version
from dualdag.store._fs import FileSystem, shown
from dualdag.store._possible import is_possible
from dualdag.store._seal import REFUSED
from dualdag.store._sealer import UNSIGNED, Sealer, warn_of_refused
from dualdag.store._series import descending, entries, get, newest, place

__all__ = ["Artifact", "Artifacts", "artifact_folder", "is_folder_of"]

T = TypeVar("T", Version, Confirmation)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A row about one version of an artifact.

    Parameters
    ----------
    name : str
        Of the artifact.
    version : int
        Its number, from 1.
    digest : str
        Of the value, as hexadecimal digits.
    key : str
        The trace key, readable: ``name-<hex>``.
    created : datetime
        When the run that made it began, UTC.
    seconds : float
        How long the function ran.
    nbytes : int
        Size as stored.
    cadence : str or None
        As it was when the version was made.
    due : datetime or None
        When it comes due; None for "on any change", ``manual`` and ``frozen``.
    """

    name: str
    version: int
    digest: str
    key: str
    created: datetime
    seconds: float
    nbytes: int
    cadence: str | None
    due: datetime | None


def artifact_folder(name: str) -> str:
    """Return the folder of an artifact: two names that differ by case alone have two, on any filesystem.

    Parameters
    ----------
    name : str
        Of the artifact.
    """
    validate_name(name)
    lower = name.lower()
    return f"artifacts/{name}" if name == lower else f"artifacts/{name}~{blake3(name.encode()).hexdigest()[:8]}"


def is_folder_of(name: str, folder: str) -> bool:
    """Say whether a name of a folder is that of an artifact's.

    Parameters
    ----------
    name : str
        Of an artifact, as the folder's name has it.
    folder : str
        Name of the folder.
    """
    try:
        return artifact_folder(name) == f"artifacts/{folder}"
    except GraphError:  # it could not name an artifact
        return False


class Artifacts:
    """The artifacts of a store.

    Parameters
    ----------
    fs : FileSystem
        Where they lie.
    lookups : Counter
        Counts look-ups.
    sealer : Sealer, optional
        Signs what is written and checks what is read.
    """

    def __init__(self, fs: FileSystem, lookups: Counter[str], sealer: Sealer = UNSIGNED) -> None:
        self._fs = fs
        self._lookups = lookups
        self._sealer = sealer

    def _highest(self, folder: str) -> int:
        """Return the highest number in a folder, 0 if there is none."""
        self._lookups["listings"] += 1
        return newest(self._fs, [folder])[0]

    def _read(self, name: str, number: int) -> Version | None:
        """Return one version, None for the mark that all up to it were deleted."""
        path, found = get(self._fs, f"{artifact_folder(name)}/versions", number)
        data = found or b""
        try:
            version = self._told_of(data, Version, path)
        except UntrustedRecordError as error:
            raise UntrustedRecordError(
                f"store {shown(self._fs.url)}: version {number} of artifact {name!r} is not accepted: {error} A run "
                "makes it again, under the next number."
            ) from error
        except CorruptObjectError:
            try:
                self._sealer.unseal(data, Tombstone, path)
            except CorruptObjectError:
                raise CorruptObjectError(
                    f"store {shown(self._fs.url)}: version {number} of artifact {name!r} is damaged: its bytes are "
                    "not those that were written there."
                ) from None
            return None
        return version

    def _told_of(self, data: bytes, kind: type[T], path: str) -> T:
        """Return what a file tells of an artifact; what tells of another, or of no time, is as good as damaged."""
        found = self._sealer.unseal(data, kind, path)
        if not is_possible(found, path):
            raise CorruptObjectError(f"{path} is damaged: it does not tell of what lies there.")
        return found

    def names(self) -> list[str]:
        """Return the names of artifacts that have a version."""
        return [name for name in self.known() if self._has_version(name)]

    def known(self) -> list[str]:
        """Return the names of artifacts that have, or had, a version."""
        self._lookups["listings"] += 1
        folders = self._fs.names("artifacts")
        return sorted({name for folder in folders if is_folder_of(name := folder.partition("~")[0], folder)})

    def _has_version(self, name: str) -> bool:
        try:
            return self._newest_of(name) is not None
        except REFUSED:
            return True

    def latest(self, name: str) -> Version | None:
        """Return the newest version, or None; an error of `REFUSED` if it is damaged or not accepted."""
        self._lookups["versions"] += 1
        return self._newest_of(name)

    def _newest_of(self, name: str) -> Version | None:
        """Return what the highest number tells, None if there is none or it is the mark of deletion."""
        folder = f"{artifact_folder(name)}/versions"
        number = self._highest(folder)
        while number:
            try:
                return self._read(name, number)
            except CorruptObjectError:
                # One that a newer one followed may be gone since it was listed.
                before, number = number, self._highest(folder)
                if number <= before:
                    raise
        return None

    def version(self, name: str, number: int | None) -> Version:
        """Return a version, the newest by default; ArtifactNotFoundError if there is none."""
        self._lookups["versions"] += 1
        folder = f"{artifact_folder(name)}/versions"
        if number is None:
            found = self._newest_of(name)
        else:
            there = isinstance(number, Integral) and int(number) > 0 and get(self._fs, folder, number)[1] is not None
            found = self._read(name, number) if there else None
        if found is not None:
            return found
        numbers = sorted(islice(descending(self._fs, folder), 10))
        if not numbers or self._read(name, numbers[-1]) is None:
            raise self._not_found(name)
        listed = ", ".join(map(str, numbers))
        raise ArtifactNotFoundError(f"artifact {name!r} has no version {number!r}; there is: {listed}.")

    def _not_found(self, name: str) -> ArtifactNotFoundError:
        return ArtifactNotFoundError(
            f"there is no artifact {name!r} in {shown(self._fs.url)}.{did_you_mean(name, self.names())}"
        )

    def readable(self, name: str, refused: list[UntrustedRecordError] | None = None) -> Iterator[Version]:
        """Yield the readable versions, newest first, with a warning for each that is not; or put it into `refused`."""
        self._lookups["listings"] += 1
        folder = f"{artifact_folder(name)}/versions"
        for number in descending(self._fs, folder):
            try:
                found = self._read(name, number)
            except REFUSED as error:
                if get(self._fs, folder, number)[1] is None:
                    continue  # it was removed since it was listed
                if refused is not None and isinstance(error.__cause__, UntrustedRecordError):
                    refused.append(error.__cause__)
                else:
                    warnings.warn(f"{error} It is left out.", stacklevel=4)
                continue
            if found is None:
                return
            yield found

    def versions(self, name: str, limit: int | None = None) -> list[Version]:
        """Return the readable versions, newest first, `limit` at the most; ArtifactNotFoundError if there is none."""
        refused: list[UntrustedRecordError] = []
        found = list(islice(self.readable(name, refused), limit))
        warn_of_refused(refused, self._fs.url, f"versions of {name!r}")
        if not found:
            raise self._not_found(name)
        return found

    def newest_rows(self) -> list[Artifact]:
        """Return a row about the newest readable version of each artifact, by name."""
        newest = self._newest(self.known(), "versions", Version)
        refused: list[UntrustedRecordError] = []
        found = {
            name: version if version is not None else next(self.readable(name, refused), None)
            for name, version in newest.items()
        }
        warn_of_refused(refused, self._fs.url, "versions of artifacts")
        made = {name: version for name, version in found.items() if version is not None}
        # When those without a cadence were confirmed says nothing.
        timed = [name for name, version in made.items() if version.cadence is not None]
        confirmed = self._newest(timed, "confirmations", Confirmation)
        now = datetime.now(UTC)
        rows = []
        for name, version in made.items():
            last = confirmed.get(name)
            # What can't be read is told of, and the one before it counts.
            last = self.last_confirmed(name) if last is None and name in confirmed else last
            rows.append(self._row(version, last, now))
        return rows

    def _newest(self, names: Sequence[str], kind: str, of: type[T]) -> dict[str, T | None]:
        """Return the newest file of each artifact that has one, None for what can't be read; several at once."""
        self._lookups["listings"] += len(names)
        folders = [f"{artifact_folder(name)}/{kind}" for name in names]
        found = zip(names, folders, newest(self._fs, folders), strict=True)
        last = {name: place(folder, number) for name, folder, number in found if number}
        datas = self._fs.get_many(list(last.values()))
        return {name: self._readable(data or b"", of, last[name]) for name, data in zip(last, datas, strict=True)}

    def _readable(self, data: bytes, kind: type[T], path: str) -> T | None:
        try:
            return self._told_of(data, kind, path)
        except REFUSED:
            return None

    def rows(self, name: str, limit: int | None = None) -> list[Artifact]:
        """Return rows about the readable versions, as `versions` gives them."""
        versions = self.versions(name, limit)
        confirmed = self.last_confirmed(name)
        now = datetime.now(UTC)
        return [self._row(version, confirmed, now) for version in versions]

    @staticmethod
    def _row(version: Version, confirmed: Confirmation | None, now: datetime) -> Artifact:
        found_equal = confirmed.created if confirmed is not None and confirmed.version == version.number else None
        due = None
        if version.cadence is not None:
            due = comes_due(parse_cadence(version.cadence, version.tz), version.created, found_equal, now)
        created = datetime.fromtimestamp(version.created, UTC)
        key = f"{version.function or version.name}-{version.trace.hex()}"
        return Artifact(version.name, version.number, version.digest.hex(), key, created, version.seconds,
                        version.nbytes, version.cadence, due)  # fmt: skip

    def add(self, version: Version, at_least: int = 1) -> Version:
        """Publish a version under the next number; the newest, or another writer's, of the same result will do.

        The number is `at_least` so high: a copy keeps the numbers that it can.
        """
        folder = f"{artifact_folder(version.name)}/versions"
        number = self._highest(folder)
        # Another run of the same flow may have made this very version meanwhile.
        same = self._same(version, number) if number else None
        while same is None:
            number = max(number + 1, at_least)
            made = msgspec.structs.replace(version, number=number)
            if self._put(place(folder, number), made):
                return made
            same = self._same(version, number)
        return same

    def _same(self, version: Version, number: int) -> Version | None:
        """Return the version of a number if it is of the same result."""
        try:
            other = self._read(version.name, number)
        except REFUSED:
            return None
        if other is None:
            return None
        ours, theirs = ((one.digest, one.checksum, one.trace) for one in (version, other))
        return other if ours == theirs else None

    def confirm(self, confirmation: Confirmation) -> None:
        """Note that an artifact was made again and came out the same."""
        folder = f"{artifact_folder(confirmation.name)}/confirmations"
        number = self._highest(folder) + 1
        while not self._put(place(folder, number), confirmation):
            number += 1

    def _put(self, path: str, value: msgspec.Struct) -> bool:
        return self._fs.put_if_absent(path, [self._sealer.seal(value, path)])

    def last_confirmed(self, name: str) -> Confirmation | None:
        """Return the newest readable confirmation, or None."""
        folder = f"{artifact_folder(name)}/confirmations"
        self._lookups["confirmations"] += 1
        self._lookups["listings"] += 1
        for number in descending(self._fs, folder):
            path, data = get(self._fs, folder, number)
            try:
                return self._told_of(data or b"", Confirmation, path)
            except REFUSED as error:
                warnings.warn(f"store {shown(self._fs.url)}: {error} It is left out.", stacklevel=3)
        return None

    def delete(self, name: str) -> int:
        """Remove an artifact's versions and confirmations; return how many versions there were.

        A mark under the next number does it in one instant; the files go after it, the oldest first.
        """
        folder = artifact_folder(name)
        numbers = list(descending(self._fs, f"{folder}/versions"))
        count = self._count(name, numbers)
        last = numbers[0] if numbers else 0
        if count:
            last += 1
            while not self._put(place(f"{folder}/versions", last), Tombstone(name, time.time())):
                last += 1
        below = [path for number, path, _ in entries(self._fs, f"{folder}/versions") if 0 < number < last]
        for path in reversed(below):
            self._fs.remove(path)
        for _, path, _ in entries(self._fs, f"{folder}/confirmations"):
            self._fs.remove(path)
        if not count:
            raise self._not_found(name)
        return count

    def _count(self, name: str, numbers: list[int]) -> int:
        """Return how many versions there are, the newest first, since the last time that all were deleted."""
        for count, number in enumerate(numbers):
            try:
                if self._read(name, number) is None:
                    return count
            except REFUSED:
                continue
        return len(numbers)
