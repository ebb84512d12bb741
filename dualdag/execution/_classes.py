"""What users taught about classes, taken along to workers: these import no script that made the calls."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING

from dualdag.errors import CodecError
from dualdag.execution._by_value import importable, pickled_by_value
from dualdag.hashing import given_digests, register
from dualdag.store import dump_pickle, given_codecs, register_codec_for, taught_safe

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["pack_classes", "teach_classes"]


def pack_classes() -> tuple[bytes, ...]:
    """Return each class with its digest and codec as bytes.

    Raises
    ------
    CodecError
        When one of them can't be pickled; it names the class.
    """
    digests, codecs = given_digests(), given_codecs()
    classes = [cls for cls in {**digests, **codecs} if not cls.__module__.startswith("dualdag.")]
    packed = []
    for cls in classes:
        parts = (cls, digests.get(cls), codecs.get(cls), taught_safe(cls))
        homes = {getattr(part, "__module__", None) for part in (cls, parts[1], *(parts[2] or ()))}
        modules = [sys.modules[name] for name in homes if name in sys.modules and name != "__main__"]
        try:
            with pickled_by_value([module for module in modules if not importable(module)]):
                packed.append(dump_pickle(parts))
        except Exception as error:
            raise CodecError(
                f"what dag.register was given for {cls.__module__}.{cls.__qualname__} can't be pickled, so no other "
                f"process can know of it ({type(error).__name__}: {error}): give it functions of a module, or use "
                "backend='local'."
            ) from error
    return tuple(packed)


def teach_classes(packed: Iterable[bytes]) -> None:
    """Register what `pack_classes` packed."""
    for data in packed:
        cls, digest, codec, safe = pickle.loads(data)
        if digest is not None:
            register(cls, digest=digest)
        if codec is not None:
            register_codec_for(cls, *codec, safe=safe)
