"""What a place refuses, as one kind of error that says what to do."""

from __future__ import annotations

import errno
import functools
import re
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from dualdag.errors import StoreError

__all__ = ["READ_ONLY", "describe", "explained", "shown", "without_password"]

P = ParamSpec("P")
R = TypeVar("R")

#: What the operating system says of a place that can't be written.
READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

_REASONS = {
    errno.ENOSPC: "the disk is full: free some space; what was kept before is untouched",
    errno.EDQUOT: "the disk quota is used up: free some space; what was kept before is untouched",
    errno.EACCES: "there is no right to do so: change the rights, or name another store",
    errno.EPERM: "there is no right to do so: change the rights, or name another store",
    errno.EROFS: "it lies on a read-only filesystem: plan and get work, a run needs another store",
    errno.ENOTDIR: "a part of its path is a file: name another path",
    errno.EMFILE: "this process has too many open files: raise its limit (ulimit -n)",
}


def shown(url: str) -> str:
    """Return a URL as messages may show it: without a password.

    Examples
    --------
    >>> shown("s3://key:secret@bucket/team")
    's3://bucket/team'
    """
    return re.sub(r"(://)[^/@]*@", r"\1", url)


def describe(error: BaseException, url: str, what: str) -> StoreError:
    """Return one clear error for what the place refused.

    Parameters
    ----------
    error : BaseException
        What it said.
    url : str
        Where the store is.
    what : str
        What was tried, after "can't".
    """
    number = error.errno if isinstance(error, OSError) else None
    reason = _REASONS.get(number or 0) or f"{type(error).__name__}: {without_password(str(error), url)}"
    return StoreError(f"store {shown(url)}: can't {what}; {reason}.")


def without_password(text: str, url: str) -> str:
    """Return what a place said, without the user and password that its URL has.

    Parameters
    ----------
    text : str
        What it said.
    url : str
        Of the place.

    Examples
    --------
    >>> without_password("there is no bucket key:secret@team", "s3://key:secret@team")
    'there is no bucket ***@team'
    """
    found = re.search(r"://([^/@]+)@", url)
    return text if found is None else text.replace(found[1], "***")


def explained(
    what: str, kinds: type[Exception] = OSError
) -> Callable[[Callable[Concatenate[Any, P], R]], Callable[Concatenate[Any, P], R]]:
    """Make a method of a filesystem raise StoreError for what the place refuses.

    Parameters
    ----------
    what : str
        What the method does, after "can't".
    kinds : type of exception
        What the place may raise; its subclasses are meant too.
    """

    def decorate(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
        @functools.wraps(method)
        def call(self: Any, *args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(self, *args, **kwargs)
            except StoreError:
                raise
            except kinds as error:
                raise describe(error, self.url, what) from error

        return cast("Callable[Concatenate[Any, P], R]", call)

    return decorate
