"""What is written down in a store."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Batch", "Begin", "Confirmation", "End", "Events", "Fact", "Lost", "Record", "Saved", "Signs", "Tombstone",
           "Unstable", "Version"]  # fmt: skip


class Record(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of one result.

    Parameters
    ----------
    own, trace, action : bytes
        The node's own hash, its trace key, its action key.
    digest : bytes
        Of the value.
    checksum : bytes or None
        Address of the encoded bytes: their checksum, or for a small value what holds them (`_address`);
        None if the value was not kept.
    codec : str
        How it is encoded; empty if it was not kept.
    nbytes : int
        Size of the encoded value.
    seconds : float
        How long the function ran.
    created : float
        Seconds since 1970, UTC.
    function : str
        Its readable name.
    kept : bool
        Whether its value was put into the store.
    """

    own: bytes
    trace: bytes
    action: bytes
    digest: bytes
    checksum: bytes | None = None
    codec: str = ""
    nbytes: int = 0
    seconds: float = 0.0
    created: float = 0.0
    function: str = ""
    kept: bool = False


class Batch(msgspec.Struct, frozen=True):
    """Records that share one file, and further trace keys of results recorded before.

    Parameters
    ----------
    records : list of Record
        What ended.
    aliases : list of (bytes, Record)
        Further trace keys.
    parts : list of (int, bytes)
        Of a pack: numbers of the batches that it holds, with a few bytes of their checksums.
    """

    records: list[Record]
    aliases: list[tuple[bytes, Record]]
    parts: list[tuple[int, bytes]] = []


class Fact(msgspec.Struct, frozen=True):
    """A later fact about a key, which outranks the earlier ones.

    Parameters
    ----------
    record : Record
        In force from then on.
    action_number : int
        Of the newest fact of the record's action key: if that is gone, something else took it away.
    """

    record: Record
    action_number: int = 0


class Lost(msgspec.Struct, frozen=True):
    """What lay here was damaged and set aside; it counts as damaged, as what it replaced must not come back."""

    created: float


class Unstable(msgspec.Struct, frozen=True):
    """A task gave two results for the same inputs."""

    task: bytes


class Version(msgspec.Struct, frozen=True):
    """One version of an artifact.

    Parameters
    ----------
    name : str
        Of the artifact.
    number : int
        From 1; 0 before it is published.
    digest : bytes
        Of the value.
    checksum, codec, nbytes
        Address of the value, how it is encoded, its size.
    trace : bytes
        The effective trace key that it was made under.
    own_part : bytes
        Hash of the functions and arguments between it and the artifacts above it.
    action : bytes
        The action key.
    created : float
        When the run that made it began: seconds since 1970, UTC.
    seconds : float
        How long the function ran.
    cadence : str or None
        As it was then.
    tz : str
        Time zone of the cadence.
    run : str
        Which run made it.
    details : bytes or None
        Checksum of a JSON object with what `dualdag why` and `show` tell of its making.
    function : str
        Readable name of the function.
    code : bytes or None
        Checksum of the functions, with their sources, and packages that it was made by; compressed
        JSON, and most versions of an artifact share it.
    """

    name: str
    number: int
    digest: bytes
    checksum: bytes
    codec: str
    nbytes: int
    trace: bytes
    own_part: bytes
    action: bytes
    created: float
    seconds: float
    cadence: str | None
    tz: str
    run: str
    details: bytes | None = None
    function: str = ""
    code: bytes | None = None


class Tombstone(msgspec.Struct, frozen=True):
    """All earlier versions of an artifact were deleted."""

    name: str
    created: float


class Confirmation(msgspec.Struct, frozen=True):
    """An artifact was due and came out with the same digest.

    Parameters
    ----------
    name : str
        Of the artifact.
    version : int
        Number of the version that it equals.
    created : float
        When the run that found so began: seconds since 1970, UTC.
    trace, own_part : bytes
        What it was made from this time.
    """

    name: str
    version: int
    created: float
    trace: bytes
    own_part: bytes


class Begin(msgspec.Struct, frozen=True):
    """How a run began, and in which process."""

    id: str
    started: float
    info: dict[str, Any]
    machine: str = ""
    process: int = 0
    since: str = ""


class Events(msgspec.Struct, frozen=True):
    """A piece of a run's journal."""

    events: list[dict[str, Any]]


class End(msgspec.Struct, frozen=True):
    """How a run ended, and what it did: numbers by name, and the first error."""

    ended: float
    status: str
    did: dict[str, Any] = {}


class Signs(msgspec.Struct, frozen=True):
    """A key signs here, and unsigned records are not accepted; its id is the file's name."""

    since: float


class Saved(msgspec.Struct, frozen=True):
    """An encoded value in the store.

    Parameters
    ----------
    checksum : bytes
        Address of the encoded bytes.
    codec : str
        How they are encoded.
    nbytes : int
        How many there are.
    """

    checksum: bytes
    codec: str
    nbytes: int
