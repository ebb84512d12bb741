"""The store: objects by checksum, records by key, artifact versions, run journals; on any fsspec URL.

The door of the room is also what users call: ``dualdag.store()`` opens the store of the settings.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dualdag.config import Settings, settings
from dualdag.store._address import SMALL
from dualdag.store._artifacts import Artifact
from dualdag.store._claims import Claims, open_claims
from dualdag.store._code import pack_code
from dualdag.store._facts import Confirmation, Record, Saved, Version
from dualdag.store._journal import Run, RunJournal
from dualdag.store._store import LAYOUT, Store, open_store
from dualdag.store._taught import dump_pickle, given_codecs, recipe, taught_safe
from dualdag.store._verification import Problem, Verification
from dualdag.store._watch import live_leases

if TYPE_CHECKING:
    from dualdag.store._codecs import Encoded, decode_value, encode_value, register_codec, register_codec_for
    from dualdag.store._copy import Copied
    from dualdag.store._file import File
    from dualdag.store._gc import Collected, Space

__all__ = [
    "LAYOUT",
    "SMALL",
    "Artifact",
    "Claims",
    "Collected",
    "Confirmation",
    "Copied",
    "Encoded",
    "File",
    "Problem",
    "Record",
    "Run",
    "RunJournal",
    "Saved",
    "Space",
    "Store",
    "Verification",
    "Version",
    "decode_value",
    "dump_pickle",
    "encode_value",
    "given_codecs",
    "live_leases",
    "open_claims",
    "open_store",
    "open_with",
    "pack_code",
    "recipe",
    "register_codec",
    "register_codec_for",
    "store",
    "taught_safe",
]

_CODECS = {"Encoded", "decode_value", "encode_value", "register_codec", "register_codec_for"}


def __getattr__(name: str) -> Any:
    if name in _CODECS:
        from dualdag.store import _codecs

        return getattr(_codecs, name)
    if name == "File":
        from dualdag.store._file import File

        return File
    if name in {"Collected", "Space"}:
        from dualdag.store import _gc

        return getattr(_gc, name)
    if name == "Copied":
        from dualdag.store import _copy

        return _copy.Copied
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def open_with(chosen: Settings) -> Store:
    """Return the store that settings name.

    Parameters
    ----------
    chosen : Settings
        From `dualdag.config.settings`.

    Raises
    ------
    ConfigError
        When the secret makes no sense.
    StoreError
        When it can't be opened.
    """
    return open_store(
        chosen.store,
        durable=chosen.durable,
        secret=chosen.secret,
        trust=chosen.trust,
        payload="safe" if chosen.payload == "safe" else "pickle",
    )


def store(url: Any = None) -> Store:
    """Return a store, by default that of the settings; called as ``dualdag.store()``.

    Parameters
    ----------
    url : str or path, optional
        A local folder or any fsspec URL.

    Raises
    ------
    StoreError
        When it can't be opened.

    Examples
    --------
    >>> import dualdag as dag
    >>> dag.store("memory://docs").artifacts()
    []
    """
    return open_with(settings(store=url))


class _Door(ModuleType):
    """`dualdag.store` is a room and a call."""

    __call__ = staticmethod(store)


sys.modules[__name__].__class__ = _Door
