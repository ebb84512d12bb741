"""Artifacts: versions and confirmations."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import msgspec

from dualdag.errors import ArtifactNotFoundError, CorruptObjectError, did_you_mean
from dualdag.graph import validate_name
from dualdag.store._facts import Confirmation, Version, seal, unseal
from dualdag.store._fs import FileSystem

__all__ = ["Artifact", "Artifacts"]


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
        The trace key, as hexadecimal digits.
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


class Artifacts:
    """The artifacts of a store.

    Parameters
    ----------
    fs : FileSystem
        Where they lie.
    lookups : Counter
        Counts look-ups.
    """

    def __init__(self, fs: FileSystem, lookups: Counter[str]) -> None:
        self._fs = fs
        self._lookups = lookups

    def names(self) -> list[str]:
        """Return the names of artifacts that have a version."""
        return [n for n in self._fs.names("artifacts") if self._numbers(n)]

    def _folder(self, name: str) -> str:
        validate_name(name)
        return f"artifacts/{name}/versions"

    def _numbers(self, name: str) -> list[int]:
        return [int(n) for n in self._fs.names(self._folder(name)) if n.isdigit()]

    def read(self, name: str, number: int) -> Version:
        """Return one version; CorruptObjectError if it is damaged."""
        path = f"{self._folder(name)}/{number:08d}"
        data = self._fs.get(path)
        if data is None:
            numbers = self._numbers(name)
            if not numbers:
                raise ArtifactNotFoundError(f"there is no artifact {name!r} in {self._fs.url}."
                                            f"{did_you_mean(name, self.names())}")  # fmt: skip
            shown = ", ".join(map(str, numbers[-10:]))
            raise ArtifactNotFoundError(f"artifact {name!r} has no version {number}; there is: {shown}.")
        return unseal(data, Version, f"version {number} of artifact {name!r}")

    def latest(self, name: str) -> Version | None:
        """Return the newest version, or None; CorruptObjectError if it is damaged."""
        self._lookups["versions"] += 1
        numbers = self._numbers(name)
        return self.read(name, numbers[-1]) if numbers else None

    def version(self, name: str, number: int | None) -> Version:
        """Return a version, the newest by default; ArtifactNotFoundError if there is none."""
        if number is None:
            numbers = self._numbers(name)
            number = numbers[-1] if numbers else 0
        return self.read(name, number)

    def versions(self, name: str) -> list[Version]:
        """Return the readable versions, newest first."""
        found = []
        for number in reversed(self._numbers(name)):
            try:
                found.append(self.read(name, number))
            except CorruptObjectError as error:
                warnings.warn(f"{error} It is left out.", stacklevel=2)
        return found

    def add(self, version: Version) -> Version:
        """Publish a version under the next number."""
        folder = self._folder(version.name)
        newest = max(self._numbers(version.name), default=0)
        # Another run of the same flow may have made this very version meanwhile.
        same = self._same(version, newest) if newest else None
        if same is not None:
            return same
        number = newest + 1
        while True:
            made = msgspec.structs.replace(version, number=number)
            if self._fs.put_if_absent(f"{folder}/{number:08d}", [seal(made)]):
                return made
            same = self._same(version, number)
            if same is not None:
                return same
            number += 1

    def _same(self, version: Version, number: int) -> Version | None:
        """Return the version of a number if it is of the same result, else None."""
        try:
            other = self.read(version.name, number)
        except CorruptObjectError:
            return None
        ours, theirs = ((v.digest, v.checksum, v.trace) for v in (version, other))
        return other if ours == theirs else None

    def confirm(self, confirmation: Confirmation) -> None:
        """Note that an artifact was made again and came out the same."""
        folder = f"artifacts/{confirmation.name}/confirmations"
        number = max((int(n) for n in self._fs.names(folder) if n.isdigit()), default=0) + 1
        while not self._fs.put_if_absent(f"{folder}/{number:08d}", [seal(confirmation)]):
            number += 1

    def last_confirmed(self, name: str) -> Confirmation | None:
        """Return the newest readable confirmation, or None."""
        validate_name(name)
        self._lookups["confirmations"] += 1
        folder = f"artifacts/{name}/confirmations"
        for found in reversed([n for n in self._fs.names(folder) if n.isdigit()]):
            data = self._fs.get(f"{folder}/{found}")
            try:
                return None if data is None else unseal(data, Confirmation, f"confirmation {found} of {name!r}")
            except CorruptObjectError as error:
                warnings.warn(f"{error} It is left out.", stacklevel=2)
        return None

    def delete(self, name: str) -> int:
        """Remove an artifact's versions and confirmations; return how many versions there were."""
        numbers = self._numbers(name)
        if not numbers:
            self.read(name, 0)
        for number in reversed(numbers):
            self._fs.remove(f"{self._folder(name)}/{number:08d}")
        folder = f"artifacts/{name}/confirmations"
        for found in self._fs.names(folder):
            self._fs.remove(f"{folder}/{found}")
        return len(numbers)
