"""The store: objects, records, artifacts and journals at one URL."""

from __future__ import annotations

import threading
import uuid
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from blake3 import blake3

from dualdag.config import user_cache_folder
from dualdag.errors import CorruptObjectError, StoreError
from dualdag.graph import next_due, parse_cadence
from dualdag.store._artifacts import Artifact, Artifacts
from dualdag.store._facts import Confirmation, Layout, Record, Saved, Version
from dualdag.store._fs import READ_ONLY, Buffers, FileParts, describe, open_filesystem
from dualdag.store._index import Index
from dualdag.store._journal import Run, RunJournal, read_run, read_runs
from dualdag.store._records import Records

__all__ = ["LAYOUT", "Store", "open_store"]

#: Version of the layout; docs/store-layout.md describes it.
LAYOUT = 1
_MARKER = "layout.json"


class Store:
    """A place for results; made by `open_store` or `dualdag.store`.

    Parameters
    ----------
    url : str
        A local folder or any fsspec URL.
    durable : bool
        Whether writes are fsynced.

    Attributes
    ----------
    lookups : Counter
        How many look-ups of each kind were made.
    """

    def __init__(self, url: str, *, durable: bool = False) -> None:
        self.url = url
        self.durable = durable
        self.lookups: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._fs = open_filesystem(url, durable=durable)
        with self._explained("open it"):
            self._check_layout()
            self._artifacts = Artifacts(self._fs, self.lookups)
        self._opened: Records | None = None
        self._marked = False

    @property
    def _records(self) -> Records:
        # Opened at the first look-up: `load` and `ls` need no index.
        with self._lock:
            if self._opened is None:
                with self._explained("read it"):
                    self._opened = Records(self._fs, Index(self._index_path()), self.lookups)
            return self._opened

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.url, self.durable)

    def __repr__(self) -> str:
        return f"<Store {self.url}>"

    def close(self) -> None:
        """Let go of the index's file; the next look-up opens it again."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except OSError as error:
            raise describe(error, self.url, what) from error

    def _index_path(self) -> Path | None:
        if self._fs.local is not None:
            return self._fs.local / "cache" / "index.sqlite" if self._fs.local.is_dir() else None
        if self.url.startswith("memory:"):
            return None
        return user_cache_folder() / blake3(self.url.encode()).hexdigest(16) / "index.sqlite"

    def _check_layout(self) -> None:
        data = self._fs.get(_MARKER)
        if data is None:
            return
        self._marked = True
        try:
            found = msgspec.json.decode(data, type=Layout).layout
        except (msgspec.DecodeError, UnicodeDecodeError):
            warnings.warn(f"store {self.url}: its marker {_MARKER} is damaged and is written again.", stacklevel=4)
            self._fs.move_aside(_MARKER, f"damaged/{_MARKER}")
            self._marked = False
            return
        if found > LAYOUT:
            raise StoreError(
                f"store {self.url} has layout {found}, and this dualdag knows layouts up to {LAYOUT}: "
                "upgrade dualdag (pip install --upgrade dualdag)."
            )

    def _put(self, path: str, parts: Buffers, what: str) -> bool:
        with self._explained(what):
            if not self._marked:
                self._fs.put_if_absent(_MARKER, [msgspec.json.encode(Layout(LAYOUT))])
                self._marked = True
            return self._fs.put_if_absent(path, parts)

    def self_test(self) -> str:
        """Write, read, refuse to replace, list and remove a scratch file; return a sentence.

        Raises
        ------
        StoreError
            For the first of these that does not work.
        """
        path = f"scratch/{uuid.uuid4().hex}"
        self._put(path, [b"dualdag"], "write a scratch file")
        try:
            with self._explained("read it"):
                if self._fs.get(path) != b"dualdag":
                    raise StoreError(f"store {self.url} does not give back what was written to it.")
                if self._fs.put_if_absent(path, [b"another"]):
                    raise StoreError(f"store {self.url} replaces files that exist: writers could undo each other.")
                if path.rpartition("/")[2] not in self._fs.names("scratch"):
                    raise StoreError(f"store {self.url} does not list what was written to it.")
        finally:
            self._fs.remove(path)
        return "writes, reads, lists and removes; refuses to replace"

    # Objects.

    def put_object(self, data: bytes | Buffers) -> bytes:
        """Store bytes under their checksum, and return it.

        Parameters
        ----------
        data : bytes, or buffers that can be gone through more than once
            What to store.

        Raises
        ------
        StoreError
            When it can't be written.
        """
        parts = [data] if isinstance(data, (bytes, bytearray, memoryview)) else data
        hasher = blake3(max_threads=blake3.AUTO)
        for part in parts:
            hasher.update(part)
        checksum = hasher.digest()
        path = _object_path(checksum)
        if not self._fs.exists(path):
            self._put(path, parts, "write an object")
        return checksum

    def get_object(self, checksum: bytes) -> bytes:
        """Return the bytes of a checksum, checked.

        Raises
        ------
        CorruptObjectError
            When they are gone, or not those that were written; these are set aside.
        """
        path = _object_path(checksum)
        with self._explained("read an object"):
            data = self._fs.get(path)
        if data is None:
            raise CorruptObjectError(f"store {self.url}: object {checksum.hex()[:12]} is gone; a run makes it again.")
        if blake3(data, max_threads=blake3.AUTO).digest() != checksum:
            try:
                self._fs.move_aside(path, f"damaged/{checksum.hex()}")
            except OSError:
                pass
            raise CorruptObjectError(
                f"store {self.url}: object {checksum.hex()[:12]} is damaged (its bytes are not those that were "
                "written), so it was set aside; a run makes it again."
            )
        return data

    def has_objects(self, checksums: Iterable[bytes]) -> set[bytes]:
        """Return those of `checksums` that are there."""
        wanted = set(checksums)
        self.lookups["objects"] += len(wanted)
        return {c for c in wanted if self._fs.exists(_object_path(c))}

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

        encoded = encode_value(value)
        parts = encoded.buffers if encoded.path is None else FileParts(encoded.path)
        return Saved(self.put_object(parts), encoded.codec, encoded.nbytes)

    def load(self, checksum: bytes, codec: str) -> Any:
        """Return the value of an object.

        Raises
        ------
        CorruptObjectError
            When its bytes are gone or damaged.
        CodecError
            When they can't be decoded here, as when a class moved.
        """
        from dualdag.store._codecs import decode_value

        data = self.get_object(checksum)
        if codec == "file" and self._fs.local is not None:
            return decode_value(codec, str(self._fs.local / _object_path(checksum)))
        return decode_value(codec, data)

    # Records.

    def records(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        """Return, by trace or action key, the records in force."""
        return self._records.find(keys)

    def owns(self, owns: Iterable[bytes]) -> set[bytes]:
        """Return those of `owns` (a node's hash without its inputs) that were ever recorded."""
        return self._records.owns(owns)

    def superseded(self) -> Mapping[bytes, bytes]:
        """Return the digest in force of every key that was superseded."""
        return self._records.superseded()

    def unstable(self) -> set[bytes]:
        """Return the tasks that once contradicted themselves."""
        return self._records.unstable()

    def put_records(self, records: Sequence[Record], aliases: Sequence[tuple[bytes, Record]] = ()) -> list[Record]:
        """Publish one batch of records; return for each the one in force afterwards."""
        self._mark()
        with self._explained("write records"):
            return self._records.put(records, aliases)

    def supersede(self, record: Record) -> Record:
        """Let a record outrank what its action key and trace key had."""
        self._mark()
        with self._explained("write a record"):
            return self._records.supersede(record)

    def mark_unstable(self, task: bytes) -> None:
        """Remember that a task gave two results for the same inputs."""
        self._mark()
        with self._explained("write a record"):
            self._records.mark_unstable(task)

    def _mark(self) -> None:
        if not self._marked:
            self._put(_MARKER, [msgspec.json.encode(Layout(LAYOUT))], "write to it")

    def refresh(self) -> None:
        """See what other writers did since."""
        with self._explained("read it"):
            self._records.refresh()

    # Artifacts.

    def latest(self, name: str) -> Version | None:
        """Return the newest version of an artifact, or None."""
        return self._artifacts.latest(name)

    def version(self, name: str, number: int | None = None) -> Version:
        """Return a version of an artifact, the newest by default."""
        with self._explained("read it"):
            return self._artifacts.version(name, number)

    def last_confirmed(self, name: str) -> Confirmation | None:
        """Return the newest confirmation of an artifact, or None."""
        return self._artifacts.last_confirmed(name)

    def add_version(self, version: Version) -> Version:
        """Publish a version under the next number."""
        self._mark()
        with self._explained("write a version"):
            return self._artifacts.add(version)

    def confirm(self, confirmation: Confirmation) -> None:
        """Note that a due artifact came out the same."""
        with self._explained("write a confirmation"):
            self._artifacts.confirm(confirmation)

    def artifacts(self) -> list[Artifact]:
        """Return a row about the newest version of each artifact, by name."""
        with self._explained("read it"):
            return [self._row(rows[0]) for n in self._artifacts.names() if (rows := self._artifacts.versions(n))]

    def versions(self, name: str) -> list[Artifact]:
        """Return rows about the versions of an artifact, newest first.

        Raises
        ------
        ArtifactNotFoundError
            When there is none; it names the nearest.
        """
        with self._explained("read it"):
            found = self._artifacts.versions(name)
            if not found:
                self._artifacts.version(name, None)
        return [self._row(v) for v in found]

    def _row(self, version: Version) -> Artifact:
        created = datetime.fromtimestamp(version.created, UTC)
        found = self._artifacts.last_confirmed(version.name)
        confirmed = found.created if found is not None and found.version == version.number else None
        cadence = parse_cadence(version.cadence, version.tz)
        due = next_due(cadence, last=version.created, confirmed=confirmed, now=datetime.now(UTC))
        return Artifact(version.name, version.number, version.digest.hex(), version.trace.hex(), created,
                        version.seconds, version.nbytes, version.cadence, due)  # fmt: skip

    def delete(self, name: str) -> int:
        """Remove an artifact's versions; return how many there were.  Its objects stay."""
        with self._explained("remove an artifact"):
            return self._artifacts.delete(name)

    # Journals.

    def start_run(self, run_id: str, info: Mapping[str, Any]) -> RunJournal:
        """Begin the journal of a run; where nothing can be written, one that keeps nothing."""
        try:
            self._mark()
            with self._explained("write a journal"):
                return RunJournal(self._fs, run_id, info)
        except StoreError as error:
            # A run that finds everything in a read-only store has nothing to write but its journal.
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in READ_ONLY:
                return RunJournal(None, run_id, info)
            raise

    def runs(self, limit: int | None = None) -> list[Run]:
        """Return rows about the runs, newest first."""
        with self._explained("read it"):
            return read_runs(self._fs, limit)

    def run(self, run_id: str) -> tuple[Run, list[dict[str, Any]]]:
        """Return a run and its events."""
        with self._explained("read it"):
            return read_run(self._fs, run_id)


def _object_path(checksum: bytes) -> str:
    text = checksum.hex()
    return f"objects/{text[:2]}/{text[2:]}"


def _reopen(url: str, durable: bool) -> Store:
    return open_store(url, durable=durable)


def open_store(url: str, *, durable: bool = False) -> Store:
    """Return the store at a URL.

    Parameters
    ----------
    url : str
        A local folder or any fsspec URL; nothing is made there before the first write.
    durable : bool
        Whether writes are fsynced, so that a crash of the machine loses nothing either.

    Raises
    ------
    StoreError
        When it can't be opened: a file is in the way, a package is missing, the layout is newer.

    Examples
    --------
    >>> open_store("memory://docs").artifacts()
    []
    """
    return Store(url, durable=durable)
