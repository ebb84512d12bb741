"""What a store publishes by name: versions of artifacts."""

from __future__ import annotations

import re
from typing import Any

from dualdag.errors import CorruptObjectError
from dualdag.store._artifacts import Artifact
from dualdag.store._code import unpack_code
from dualdag.store._facts import Confirmation, Version
from dualdag.store._handle import Handle
from dualdag.store._plain_json import strict_json

__all__ = ["Published"]


#: Of what a version tells of its making, kinds that those who read it count on.
_KINDS: dict[str, Any] = {
    "dirty": (bool, type(None)), "inputs": dict, "lineage": list, "packages": dict, "parameters": dict,
}  # fmt: skip
_HEX = re.compile(r"([0-9a-f]{2})+", re.ASCII)


def _as_written(told: dict[str, Any]) -> dict[str, Any]:
    """Return what tells of a version's making; anybody may have written it who can write to the store."""
    for name, kind in _KINDS.items():
        if name in told and not isinstance(told[name], kind):
            raise CorruptObjectError(f"what tells of a version's making has {name!r}, and not as dualdag writes it.")
    if not all(isinstance(key, str) and _HEX.fullmatch(key) for key in told.get("lineage", ())):
        raise CorruptObjectError("what tells of a version's making has a 'lineage' of other things than keys.")
    return told


class Published(Handle):
    """The part of a `Store` that deals with artifacts."""

    def latest(self, name: str) -> Version | None:
        """Return the newest version of an artifact, or None.

        Parameters
        ----------
        name : str
            Of the artifact.

        Raises
        ------
        CorruptObjectError
            When it is damaged.
        UntrustedRecordError
            When it is unsigned or altered, and a secret is set.
        """
        return self._artifacts.latest(name)

    def version(self, name: str, number: int | None = None) -> Version:
        """Return a version of an artifact, the newest by default.

        Parameters
        ----------
        name : str
            Of the artifact.
        number : int, optional
            From 1.

        Raises
        ------
        ArtifactNotFoundError
            When there is none; it names the nearest.
        CorruptObjectError
            When it is damaged.
        UntrustedRecordError
            When it is unsigned or altered, and a secret is set.
        """
        return self._artifacts.version(name, number)

    def details(self, checksum: bytes) -> dict[str, Any]:
        """Return what `dualdag why` and `show` tell of the making of a version.

        Parameters
        ----------
        checksum : bytes
            A version's `details`.

        Raises
        ------
        CorruptObjectError
            When they are gone, damaged, or nothing that dualdag wrote.
        """
        try:
            found = strict_json(self._objects.get(checksum))
        except ValueError as error:
            raise CorruptObjectError(f"what tells of a version's making can't be read: {error}.") from error
        if not isinstance(found, dict):
            raise CorruptObjectError(f"what tells of a version's making is a {type(found).__name__}, and no object.")
        return _as_written(found)

    def code(self, checksum: bytes) -> dict[str, Any]:
        """Return the functions and packages that a version was made by.

        Parameters
        ----------
        checksum : bytes
            A version's `code`.

        Raises
        ------
        CorruptObjectError
            When they are gone, damaged, or nothing that dualdag wrote.
        """
        try:
            return _as_written(unpack_code(self._objects.get(checksum)))
        except ValueError as error:
            raise CorruptObjectError(f"the code that a version was made by can't be read: {error}.") from error

    def last_confirmed(self, name: str) -> Confirmation | None:
        """Return the newest readable confirmation of an artifact, or None."""
        return self._artifacts.last_confirmed(name)

    def add_version(self, version: Version) -> Version:
        """Publish a version under the next number, and return it as published.

        Parameters
        ----------
        version : Version
            Its number is not looked at.

        Raises
        ------
        StoreError
            When it can't be written.
        """
        self._may_write()
        return self._artifacts.add(version)

    def confirm(self, confirmation: Confirmation) -> None:
        """Note that a due artifact came out the same.

        Parameters
        ----------
        confirmation : Confirmation
            Which, and from what.
        """
        self._may_write()
        self._artifacts.confirm(confirmation)

    def artifacts(self) -> list[Artifact]:
        """Return a row about the newest readable version of each artifact, by name."""
        return self._artifacts.newest_rows()

    def versions(self, name: str, limit: int | None = None) -> list[Artifact]:
        """Return rows about the versions of an artifact, newest first.

        Parameters
        ----------
        name : str
            Of the artifact.
        limit : int, optional
            How many at the most.

        Raises
        ------
        ArtifactNotFoundError
            When there is none; it names the nearest.
        """
        return self._artifacts.rows(name, limit)

    def delete(self, name: str) -> int:
        """Remove an artifact's versions; return how many there were.  Its objects stay.

        Parameters
        ----------
        name : str
            Of the artifact.

        Raises
        ------
        ArtifactNotFoundError
            When there is none; it names the nearest.
        """
        if self.readonly or self._marker is not None:
            self._may_write()
        return self._artifacts.delete(name)
