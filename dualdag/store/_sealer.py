"""Who signs what a store writes down, and whose signatures it accepts.

A signature is the first eight bytes of a key's id and an HMAC-SHA256 (RFC 2104, FIPS 180-4) over the file's
first eight bytes, its path in the store, a NUL, that id and the document.  docs/SECURITY.md says what it is worth.
"""

from __future__ import annotations

import hmac
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from dualdag.errors import StoreError, UntrustedRecordError
from dualdag.store import _seal
from dualdag.store._fs import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

__all__ = ["UNSIGNED", "Key", "Sealer", "Trust", "warn_of_refused"]

T = TypeVar("T")
Trust = Literal["unsigned", "sign", "require"]
_ID = 8
_MAC = 32


class Key:
    """A key that signs; it shows its id only, and never leaves the process.

    Parameters
    ----------
    secret : bytes
        What the key is made of.

    Examples
    --------
    >>> Key(b"at least 16 bytes long")
    <Key 3125a78dd140ffa9>
    """

    __slots__ = ("_key", "id")
    length = _ID + _MAC

    def __init__(self, secret: bytes) -> None:
        # Two keys of one secret: what names it says nothing of what signs with it.
        self._key = hmac.digest(secret, b"dualdag signs records", "sha256")
        self.id = hmac.digest(secret, b"dualdag names a key", "sha256")[:_ID]

    def sign(self, head: bytes, path: str, body: bytes | memoryview) -> bytes:
        """Return the signature of a file's first eight bytes, path and document."""
        said = b"".join((head, path.encode(), b"\0", self.id, body))
        return self.id + hmac.digest(self._key, said, "sha256")

    def __repr__(self) -> str:
        return f"<Key {self.id.hex()}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a key of a store can't be pickled: it stays in the process that was given the secret.")


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals and unseals the files of one store.

    Parameters
    ----------
    keys : tuple of Key
        The first signs, and what any of them signed is accepted.
    trust : {"unsigned", "sign", "require"}
        Whether files are signed, and whether unsigned ones are accepted.
    anyhow : bool
        Whether unsigned files may be added to a store that others sign.
    """

    keys: tuple[Key, ...] = ()
    trust: Trust = "unsigned"
    anyhow: bool = False

    @property
    def name(self) -> str:
        """Names what is accepted, for caches of it; empty where everything is."""
        return "".join(f"\0{self.trust} {key.id.hex()}" for key in sorted(self.keys, key=lambda key: key.id))

    def __reduce__(self) -> tuple[Any, ...]:
        # Workers write objects, which need no signature: what reaches them can neither seal nor unseal.
        return Sealer, ((), self.trust, True)

    def seal(self, value: msgspec.Struct, path: str) -> bytes:
        """Return the bytes of a file that holds `value`.

        Parameters
        ----------
        value : Struct
            What to write down.
        path : str
            Where in the store the file will lie.

        Raises
        ------
        StoreError
            When it has to be signed and there is no key.
        """
        if self.trust == "unsigned":
            return _seal.seal(value, path)
        if not self.keys:
            raise StoreError(
                f"{path} can't be written: this store signs, and its secret stays in the process that it was given "
                "to. Open the store here with the secret."
            )
        return _seal.seal(value, path, self.keys[0])

    def unseal(self, data: bytes, kind: type[T], path: str) -> T:
        """Return what a sealed file holds.

        Parameters
        ----------
        data : bytes
            All of the file.
        kind : type
            What it should hold.
        path : str
            Where in the store it lies.

        Raises
        ------
        CorruptObjectError
            When the bytes are not those that were written there.
        UntrustedRecordError
            When its signature is not accepted.
        StoreError
            When a newer dualdag wrote it.
        """
        return _seal.unseal(data, kind, path, None if self.trust == "unsigned" else self._check)

    def layout_of(self, data: bytes, path: str) -> int | None:
        """Return the layout that a sealed file was written for; None if it is damaged or not accepted.

        Parameters
        ----------
        data : bytes
            All of the file.
        path : str
            Where in the store it lies.
        """
        return _seal.layout_of(data, path, None if self.trust == "unsigned" else self._check)

    def _check(self, head: bytes, path: str, signature: bytes, body: memoryview) -> None:
        if not self.keys:
            raise UntrustedRecordError(
                f"{path} can't be checked here, as the secret stays in the process that it was given to."
            )
        if not signature:
            if self.trust == "sign":
                return
            raise UntrustedRecordError(f"{path} is not signed, and this store is read with a secret.")
        for key in self.keys:
            if signature[:_ID] == key.id:
                if hmac.compare_digest(signature, key.sign(head, path, body)):
                    return
                raise UntrustedRecordError(f"{path} was altered: its signature does not fit.")
        raise UntrustedRecordError(
            f"{path} is signed with another key ({signature[:_ID].hex()}) than the secret given has: "
            "give the secret of that key too."
        )


def warn_of_refused(refused: Sequence[UntrustedRecordError], url: str, what: str) -> None:
    """Give one warning of all that was not accepted, since an old store can have thousands.

    Parameters
    ----------
    refused : sequence of UntrustedRecordError
        Why; nothing is said when there are none.
    url : str
        Of the store.
    what : str
        What the files are, as a plural.
    """
    if refused:
        count = f"{len(refused):,} {what} are" if len(refused) > 1 else f"one of the {what} is"
        warnings.warn(
            f"store {shown(url)}: {count} not accepted ({str(refused[0]).rstrip('.')}). What they tell counts as not "
            "there, and a run makes again what it needs; the files stay as they are.",
            stacklevel=4,
        )


#: Signs nothing and accepts everything.
UNSIGNED = Sealer()
