"""The keys of a store, from the secret that the settings give."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from dualdag.errors import ConfigError
from dualdag.store._sealer import Key, Sealer, Trust

__all__ = ["Secret", "sealer_of"]

#: What a secret is given as.
Secret = str | bytes | Sequence[str | bytes] | Callable[[], Any]

#: NIST SP 800-107r1, 5.3.2: below the security strength of 112 bits an HMAC key is worth little.
_SHORTEST = 16
_MAKE = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
_TRUSTS = ("unsigned", "sign", "require")


def sealer_of(secret: Secret | None, trust: str | None = None) -> Sealer:
    """Return what signs with a secret.

    Parameters
    ----------
    secret : str, bytes, sequence of these, or callable, optional
        Text, with commas between several; ``file:PATH``, one to a line; or what returns one of these. The
        first signs, and what any of them signed is accepted.
    trust : {"unsigned", "sign", "require"}, optional
        By default ``"require"`` with a secret, else ``"unsigned"``.

    Raises
    ------
    ConfigError
        For a secret that is too short, can't be read, or that others may read; for `trust` without a secret.

    Examples
    --------
    >>> sealer_of("a secret of this example, an older one of it").trust
    'require'
    """
    if trust is not None and trust not in _TRUSTS:
        raise ConfigError(f"trust={trust!r} makes no sense: use one of {', '.join(_TRUSTS)}.")
    if secret is None or trust == "unsigned":
        if trust in ("sign", "require"):
            raise ConfigError(f"trust={trust!r} (DUALDAG_TRUST) needs a secret: set DUALDAG_SECRET, or {_MAKE}")
        return Sealer(anyhow=trust == "unsigned")
    keys = tuple(Key(_long_enough(one)) for one in _secrets(secret))
    if not keys:
        raise ConfigError(f"the secret (DUALDAG_SECRET or secret=) is empty: unset it to use none, or {_MAKE}")
    return Sealer(keys, cast("Trust", trust or "require"))


def _secrets(secret: Any) -> Iterator[bytes]:
    if callable(secret):
        try:
            secret = secret()
        except Exception as error:
            raise ConfigError(f"the callable that gives the secret failed with {type(error).__name__}.") from error
        if callable(secret):
            raise ConfigError("the callable that gives the secret returned a callable: return text or bytes.")
    if isinstance(secret, str):
        yield from _of_text(secret)
    elif isinstance(secret, bytes):
        yield secret.rstrip(b"\r\n")  # of the file that it was read from
    elif isinstance(secret, (list, tuple)):
        for one in secret:
            yield from _secrets(one)
    else:
        # Never what it is: it may be the secret in another dress.
        raise ConfigError(f"a secret is text or bytes, not a {type(secret).__name__}.")


def _of_text(secret: str) -> Iterator[bytes]:
    lines = _lines(secret.removeprefix("file:")) if secret.startswith("file:") else secret.split(",")
    for line in lines:
        if line.strip():
            yield line.strip().encode()


def _lines(name: str) -> list[str]:
    path = Path(name.removeprefix("//")).expanduser()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(1 << 16)
    except OSError as error:
        raise ConfigError(f"the secret's file {path} can't be read: {error.strerror}.") from error
    # A group is who shares it on purpose; Windows has no such bits.
    if os.name == "posix" and mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
        raise ConfigError(f"others may read or write the secret's file {path}: chmod 600 {path}")
    try:
        return data.decode().splitlines()
    except UnicodeDecodeError:
        raise ConfigError(f"the secret's file {path} is no text: write one secret to a line.") from None


def _long_enough(secret: bytes) -> bytes:
    if len(secret) < _SHORTEST or len(set(secret)) < _SHORTEST // 2:
        raise ConfigError(
            f"a secret (DUALDAG_SECRET or secret=) is too short: it needs at least {_SHORTEST} characters, and not "
            f"the same few again and again (a comma parts two secrets); {_MAKE}"
        )
    return secret
