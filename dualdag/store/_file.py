"""Files as results."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dualdag.hashing import digest_file, register

__all__ = ["File"]


@dataclass(frozen=True, slots=True)
class File:
    """A file as a task's result: its bytes become the object.

    Parameters
    ----------
    path : str or path
        A local file; whoever uses the result gets a read-only local path.

    Examples
    --------
    >>> import dualdag as dag
    >>> @dag.task
    ... def report(rows):
    ...     Path("report.html").write_text(f"<p>{rows}</p>")
    ...     return dag.File("report.html")
    """

    path: str

    if TYPE_CHECKING:

        def __init__(self, path: str | os.PathLike[str]) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))


def _digest_of_file(file: File) -> bytes:
    return digest_file(file.path)


register(File, digest=_digest_of_file)
