"""The store: objects, records, artifacts and journals at one URL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dualdag.errors import CorruptObjectError, StoreError, UntrustedRecordError
from dualdag.store._facts import Record, Saved
from dualdag.store._fs import READ_ONLY, Buffers, describe, shown
from dualdag.store._handle import Payload
from dualdag.store._housekeeping import Housekeeping
from dualdag.store._journal import Run, RunJournal, read_run, read_runs
from dualdag.store._keys import Secret, sealer_of
from dualdag.store._live import wait_for_collectors
from dualdag.store._own import OWN
from dualdag.store._seal import LAYOUT
from dualdag.store._sealer import UNSIGNED
from dualdag.store._verification import Progress, Verification

__all__ = ["LAYOUT", "Store", "open_store"]


class Store(Housekeeping):
    """A place for results; made by `open_store`, which tells of the parameters, or `dualdag.store`.

    Several threads may use one.  Pickled, it is its URL and options, and opens there again.

    Attributes
    ----------
    url : str
        Where it lies; of a local folder, its whole path.
    lookups : Counter
        How many look-ups of each kind were made.
    """

    # Objects.

    def put_object(self, data: bytes | Buffers) -> bytes:
        """Store bytes, and return their address: their checksum, or for up to 4 KB what holds them itself.

        Parameters
        ----------
        data : bytes or buffers
            What to store; must not change meanwhile.

        Raises
        ------
        StoreError
            When it can't be written.
        """
        self._may_write()
        return self._objects.put([data] if isinstance(data, (bytes, bytearray, memoryview)) else list(data))

    def get_object(self, checksum: bytes) -> bytes:
        """Return the bytes at an address, checked.

        Parameters
        ----------
        checksum : bytes
            As `put_object` gave it.

        Raises
        ------
        CorruptObjectError
            When they are gone, or not those that were written; these are set aside.
        """
        return self._objects.get(checksum)

    def has_objects(self, checksums: Iterable[bytes]) -> set[bytes]:
        """Return those of `checksums` that are there."""
        return self._objects.has(checksums)

    def disregard(self, checksum: bytes) -> None:
        """Let `has_objects` tell that an object is not there, as its value can't be decoded in this process.

        Parameters
        ----------
        checksum : bytes
            As `put_object` gave it.
        """
        self._objects.disregard(checksum)

    def save(self, value: Any) -> Saved:
        """Encode a value and store it.

        Parameters
        ----------
        value : object
            What to keep.

        Raises
        ------
        CodecError
            When no codec takes it.
        StoreError
            When it can't be written.
        """
        from dualdag.store._codecs import encode_value

        encoded = encode_value(value, payload=self.payload)
        self._may_write()
        if encoded.path is None:
            return Saved(self._objects.put(encoded.buffers), encoded.codec, encoded.nbytes)
        try:
            checksum, nbytes = self._objects.put_file(encoded.path)
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise describe(error, self.url, f"take {encoded.path} in") from error
        return Saved(checksum, encoded.codec, nbytes)

    def load(self, checksum: bytes, codec: str) -> Any:
        """Return the value of an object.

        Parameters
        ----------
        checksum, codec
            As `save` gave them.

        Raises
        ------
        CorruptObjectError
            When its bytes are gone or damaged.
        CodecError
            When they can't be decoded here, as when a class moved.
        """
        from dualdag.store._codecs import decode_value

        if codec == "file":
            return decode_value(codec, self._objects.local_path(checksum), payload=self.payload)
        # Decoded from the very bytes that were checked, never from a file that could change in between.
        return decode_value(codec, self._objects.get(checksum), payload=self.payload)

    # Records.

    def records(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        """Return, by trace or action key, the records in force.

        Parameters
        ----------
        keys : iterable of bytes
            Any number; a million cost little more than the index's own size.
        """
        return self._records.find(keys)

    def durations(self, owns: Iterable[bytes]) -> dict[bytes, float]:
        """Return the seconds that those of `owns` took which were ever recorded.

        Parameters
        ----------
        owns : iterable of bytes
            Hashes of nodes without their inputs.
        """
        return self._records.durations(owns)

    def superseded(self) -> Mapping[bytes, bytes]:
        """Return the digest in force of every key that was superseded, as of the last `refresh`."""
        return self._records.superseded()

    def unstable(self) -> set[bytes]:
        """Return the tasks that once contradicted themselves, as of the last `refresh`."""
        return self._records.unstable()

    def put_records(self, records: Sequence[Record], aliases: Sequence[tuple[bytes, Record]] = ()) -> list[Record]:
        """Publish one batch of records; return for each the one in force afterwards.

        Parameters
        ----------
        records : sequence of Record
            What ended since the last batch.
        aliases : sequence of (bytes, Record)
            Further trace keys of results that are recorded already.

        Raises
        ------
        StoreError
            When it can't be written.
        """
        self._may_write()
        return self._records.put(records, aliases)

    def supersede(self, record: Record) -> Record:
        """Let a record outrank what its action key and trace key had; its object must be there.

        Parameters
        ----------
        record : Record
            In force from now on.

        Raises
        ------
        StoreError
            When it can't be written.
        """
        self._may_write()
        return self._records.supersede(record)

    def mark_unstable(self, task: bytes) -> None:
        """Remember that a task gave two results for the same inputs.

        Parameters
        ----------
        task : bytes
            What its nodes have in common.
        """
        self._may_write()
        self._records.mark_unstable(task)

    def refresh(self) -> None:
        """See what other writers did since."""
        self._records.refresh()

    # Journals.

    def start_run(self, run_id: str, info: Mapping[str, Any]) -> RunJournal:
        """Begin the journal of a run; where nothing can be written, one that keeps nothing.

        Parameters
        ----------
        run_id : str
            Names the run; sorts by time.
        info : mapping
            Plain data: what it was asked for.

        Raises
        ------
        StoreError
            When it can't be begun.
        """
        try:
            self._may_write()
            journal = RunJournal(self._fs, run_id, info, sealer=self._sealer)
            wait_for_collectors(self._fs)
            if self._opened is not None:
                self._opened[1].doubt()
        except StoreError as error:
            # A run that finds everything in a read-only store has nothing to write but its journal.
            denied = isinstance(error.__cause__, OSError) and error.__cause__.errno in READ_ONLY
            if self.readonly or denied or isinstance(error, UntrustedRecordError):
                return RunJournal(None, run_id, info, refused=error)
            raise
        return journal

    def runs(self, limit: int | None = None) -> list[Run]:
        """Return rows about the runs, newest first, `limit` at the most."""
        return read_runs(self._fs, limit, self._sealer)

    def run(self, run_id: str) -> tuple[Run, list[dict[str, Any]]]:
        """Return a run and its events.

        Parameters
        ----------
        run_id : str
            Its name; a unique beginning of it will do.

        Raises
        ------
        ArtifactNotFoundError
            When there is none.
        """
        return read_run(self._fs, run_id, self._sealer)

    # Housekeeping.

    def verify(self, *, repair: bool = False, restart: bool = False, progress: Progress | None = None) -> Verification:
        """Read every file of the store and hold it to its checksum; raise if anything is wrong that was not mended.

        Parameters
        ----------
        repair, restart, progress
            As for `check`, which tells of everything that is wrong, and raises for nothing of it.

        Raises
        ------
        CorruptObjectError
            When something is damaged or missing; it names the first.
        UntrustedRecordError
            When all that is wrong are signatures that are not accepted.
        StoreError
            As for `check`.

        Examples
        --------
        >>> store = open_store("memory://docs-verify")
        >>> saved = store.save("x" * 10_000)
        >>> store.verify().whole
        True
        """
        found = self.check(repair=repair, restart=restart, progress=progress)
        if found.whole:
            return found
        left = [one for one in found.problems if not one.done] or found.problems
        first = next((one for one in left if one.kind != "untrusted"), left[0])
        error = UntrustedRecordError if first.kind == "untrusted" else CorruptObjectError
        more = sum(found.found.values()) - 1
        raise error(
            f"store {shown(self.url)} is not whole: {first.kind}: {first.path}: {first.told}"
            f"{f', and {more} more' if more else ''}; dualdag verify lists what is wrong, with --repair it is mended."
        )

    def check(self, *, repair: bool = False, restart: bool = False, progress: Progress | None = None) -> Verification:
        """Read every file of the store and hold it to its checksum; nothing is decoded before that.

        One that is stopped, with Ctrl-C for instance, is gone on with by the next call, for a week after its start.

        Parameters
        ----------
        repair : bool
            Whether to set aside what is damaged, write the marker and the index again, and remove temporary
            files that are older than an hour and nobody's.
        restart : bool
            Whether to begin anew, in place of where a call before was stopped.
        progress : callable, optional
            Told, now and then, how many files and how many bytes were read.

        Raises
        ------
        StoreError
            When it is no store but a folder of something else; when a folder can't be listed, or nothing can be
            written and `repair` is asked for.

        Examples
        --------
        >>> store = open_store("memory://docs-check")
        >>> saved = store.save("x" * 10_000)
        >>> found = store.check()
        >>> found.whole, found.counts, found.orphans
        (True, {'markers': 1, 'objects': 1}, 1)
        """
        from dualdag.store._checking import check_all

        if self._index_places() is None:
            there = {one.name for one in self._fs.entries("")}
            if there and there.isdisjoint(OWN):
                raise StoreError(f"there is no store in {shown(self.url)}, but something else: name another place.")
            repair = repair and bool(there)
        if repair:
            self._may_write()
        name, files = self._index_places("verify.sqlite") or ("", [])
        places = f"{name} {self._marker.id if self._marker is not None else ''}", files
        return check_all(self._fs, self._sealer, places, mend=repair, restart=restart, progress=progress,
                         rebuild=self._make_index_anew)  # fmt: skip


def open_store(
    url: str,
    *,
    durable: bool = False,
    readonly: bool = False,
    options: Mapping[str, Any] | None = None,
    secret: Secret | None = None,
    trust: str | None = None,
    payload: Payload = "pickle",
) -> Store:
    """Return the store at a URL.

    Parameters
    ----------
    url : str
        A local folder or any fsspec URL; nothing is made there before the first write.
    durable : bool
        Whether writes are fsynced, so that a crash of the machine loses nothing either.
    readonly : bool
        Whether every write is refused; reading works.
    options : mapping, optional
        Passed to fsspec, an endpoint for instance.
    secret : str, bytes, sequence of these, or callable, optional
        Signs what is written down; of several the first, and what any of them signed is accepted.
    trust : {"unsigned", "sign", "require"}, optional
        Whether records are signed, and whether unsigned ones are accepted; by default ``"require"`` with a
        secret, else ``"unsigned"``.
    payload : {"pickle", "safe"}
        With ``"safe"``, nothing is stored or read as pickle.

    Raises
    ------
    StoreError
        When it can't be opened: a file is in the way, a package is missing, the layout is newer.
    ConfigError
        When the secret is too short or can't be read.

    Examples
    --------
    >>> open_store("memory://docs").artifacts()
    []
    """
    sealer = sealer_of(secret, trust) if secret is not None or trust is not None else UNSIGNED
    return Store(url, durable=durable, readonly=readonly, options=options, sealer=sealer, payload=payload)
