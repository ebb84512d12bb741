"""A store as something that is opened, closed, pickled and tested."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from blake3 import blake3

from dualdag.config import user_cache_folder
from dualdag.errors import StoreError
from dualdag.store._admission import admit
from dualdag.store._artifacts import Artifacts
from dualdag.store._bounds import leads_out
from dualdag.store._exclusive import race
from dualdag.store._fs import FileSystem, open_filesystem, shown
from dualdag.store._index import Index
from dualdag.store._layout import Marker, read_marker, write_marker
from dualdag.store._objects import Objects
from dualdag.store._records import Records
from dualdag.store._sealer import UNSIGNED, Sealer

__all__ = ["Handle", "Payload"]

Payload = Literal["pickle", "safe"]


class Handle:
    """What a `Store` is before it has anything to say; `open_store` tells of its parameters."""

    def __init__(
        self,
        url: str,
        *,
        durable: bool = False,
        readonly: bool = False,
        options: Mapping[str, Any] | None = None,
        sealer: Sealer = UNSIGNED,
        payload: Payload = "pickle",
    ) -> None:
        self._fs: FileSystem = open_filesystem(url, durable=durable, options=options or {})
        self.url = self._fs.url
        self.durable = durable
        self.readonly = readonly
        self.lookups: Counter[str] = Counter()
        self._options = dict(options or {})
        self.payload: Payload = payload
        self._sealer = sealer
        self._admitted = False
        self._lock = threading.RLock()
        self._marker: Marker | None = read_marker(self._fs, repair=not readonly, sealer=sealer)
        self._artifacts = Artifacts(self._fs, self.lookups, sealer)
        self._objects = Objects(self._fs, self.lookups)
        self._opened: tuple[int, Records] | None = None

    @property
    def _records(self) -> Records:
        # Opened at the first look-up: `load` and `ls` need no index.  A fork opens its own.
        opened = self._opened
        if opened is not None and opened[0] == os.getpid():
            return opened[1]
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                self._opened = os.getpid(), self._open_records()
            return self._opened[1]

    def _open_records(self) -> Records:
        return Records(self._fs, Index(self._index_places), self.lookups, self._sealer)

    def __reduce__(self) -> tuple[Any, ...]:
        # The sealer loses its keys on the way: what is sent to workers holds no secret.
        return _reopen, (type(self), self.url, self.durable, self.readonly, self._options, self._sealer, self.payload)

    def _believing(self) -> Self:
        """Return the store as one that accepts whatever is whole: for what must not take it for garbage."""
        if not self._sealer.keys:
            return self
        kept = Sealer(anyhow=True)
        return type(self)(self.url, durable=self.durable, options=self._options, sealer=kept, payload=self.payload)

    def __repr__(self) -> str:
        return f"<Store {shown(self.url)}>"

    def close(self) -> None:
        """Let go of the index's file; the next look-up opens it again."""
        with self._lock:
            opened, self._opened = self._opened, None
            if opened is not None and opened[0] == os.getpid():
                opened[1].close()

    def tidy(self) -> None:
        """Do what `close` would do, in part: the caller waits for something else."""
        opened = self._opened
        if opened is not None and opened[0] == os.getpid():
            opened[1].tidy()

    def _index_places(self, file: str = "index.sqlite") -> tuple[str, list[Path]] | None:
        """Return the name of the store and where its index may lie, or another file that may be deleted."""
        if self._marker is None:
            self._marker = read_marker(self._fs, repair=False, sealer=self._sealer)
        if self._marker is None:
            return None
        # Nobody signs the marker: another id there must not make this machine forget what it saw of a signed store.
        which = self._sealer.name if self._sealer.keys else self._marker.id
        name = blake3(f"{self.url}\0{which}".encode()).hexdigest()[:32]
        if self.url.startswith("memory:"):
            return name, []
        folders = [folder / name for folder in (_user_cache(), _temporary()) if folder is not None]
        # What signatures keep out of the records must not come in by an index that others can write.
        if self._fs.local is not None and not self._sealer.keys:
            beside = self._fs.local / "cache"
            folders = folders if leads_out(self.url, str(beside / file)) else [beside, *folders]
        return name, [folder / file for folder in folders]

    def _make_index_anew(self) -> None:
        """Delete the index and fill it from the records."""
        with self._lock:
            self.close()
            index = Index(self._index_places)
            index.reset()
            index.close()
        self._records.refresh()

    def _index_path(self) -> Path | None:
        """Return the file that the index lies in, if there is one."""
        places = self._index_places()
        return next(iter(places[1]), None) if places is not None else None

    def _may_write(self) -> None:
        """Make sure that something may be written; the marker comes before all else."""
        if self.readonly:
            raise StoreError(f"store {shown(self.url)} was opened for reading only: open it without readonly=True.")
        if self._marker is None:
            with self._lock:
                self._marker = write_marker(self._fs)
        if not self._admitted:
            admit(self._fs, self._sealer)
            self._admitted = True

    def self_test(self) -> str:
        """Write, read, refuse to replace, list and remove scratch files; return a sentence.

        It says too where only one run at a time may write.

        Raises
        ------
        StoreError
            For the first of these that does not work.
        """
        self._may_write()
        path = f"scratch/{uuid.uuid4().hex}"
        where = shown(self.url)
        self._fs.put_if_absent(path, [b"dualdag"])
        try:
            if self._fs.get(path) != b"dualdag":
                raise StoreError(f"store {where} does not give back what was written to it.")
            if self._fs.put_if_absent(path, [b"another"]) or self._fs.get(path) != b"dualdag":
                raise StoreError(f"store {where} replaces files that exist: one writer could undo another's work.")
            if path.rpartition("/")[2] not in self._fs.names("scratch"):
                raise StoreError(f"store {where} does not list what was written to it.")
        finally:
            self._fs.remove(path)
        alone, how = self._fs.exclusive()
        if not alone:
            return f"writes, reads, lists and removes; but {how}"
        if (winners := race(self._fs)) != 1:
            raise StoreError(f"store {where} lets {winners} writers at once have one name: name another place.")
        return f"writes, reads, lists and removes; refuses to replace, by {how}"


def _user_cache() -> Path | None:
    try:
        return user_cache_folder() / "stores"
    except RuntimeError:  # no home folder
        return None


def _temporary() -> Path | None:
    """Return a folder for what may go, which nobody else can write to; None where others own it."""
    if not hasattr(os, "getuid"):
        return Path(tempfile.gettempdir()) / "dualdag"
    folder = Path(tempfile.gettempdir()) / f"dualdag-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return folder if mine else None


def _reopen(
    kind: type[Handle],
    url: str,
    durable: bool,
    readonly: bool,
    options: Mapping[str, Any],
    sealer: Sealer,
    payload: Payload,
) -> Handle:
    return kind(url, durable=durable, readonly=readonly, options=options, sealer=sealer, payload=payload)
