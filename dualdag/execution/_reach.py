"""Where a store is: on this machine, and within reach of other processes."""

from __future__ import annotations

__all__ = ["on_this_machine", "shared_with_processes"]


def _protocol(url: str) -> str:
    return url.rpartition("::")[2].partition("://")[0] if "://" in url else "file"


def on_this_machine(url: str) -> bool:
    """Return whether reading the store at `url` crosses no network.

    Examples
    --------
    >>> on_this_machine("/data/store"), on_this_machine("s3://bucket/team")
    (True, False)
    """
    return _protocol(url) in {"file", "local", "memory"}


def shared_with_processes(url: str) -> bool:
    """Return whether another process that opens `url` sees the same store.

    Examples
    --------
    >>> shared_with_processes("memory://x")
    False
    """
    return _protocol(url) != "memory"
