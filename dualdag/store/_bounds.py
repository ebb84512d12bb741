"""Keeps a folder's paths inside it, whatever links somebody put there."""

from __future__ import annotations

import errno
import os
import stat
import warnings

from dualdag.errors import StoreError

__all__ = ["LINK", "Bounds", "leads_out"]

#: What opening a link says where links are not followed; the second on BSD.
LINK = frozenset({errno.ELOOP, errno.EMLINK})
_REPARSE = getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0)


def leads_out(root: str, path: str) -> bool:
    """Tell whether a path below `root` lies elsewhere in truth.

    Parameters
    ----------
    root, path : str
        Whole paths.
    """
    real = os.path.realpath(root)
    try:
        return os.path.commonpath([real, os.path.realpath(path)]) != real
    except ValueError:  # on another drive
        return True


def _is_link(found: os.stat_result) -> bool:
    # A junction is no link to Python, and leads elsewhere all the same.
    return stat.S_ISLNK(found.st_mode) or bool(getattr(found, "st_file_attributes", 0) & _REPARSE)


class Bounds:
    """The folders of one store, each looked at once.

    Parameters
    ----------
    root : str
        The store's folder, which may be a link itself; with forward slashes.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._known = {""}
        self._told: set[str] = set()

    def check(self, folder: str) -> None:
        """Make sure that a folder of the store is none of another place.

        Parameters
        ----------
        folder : str
            Relative to the root.

        Raises
        ------
        StoreError
            When it, or one above it, is a link that leads out.
        """
        if folder in self._known:
            return
        above, _, name = folder.rpartition("/")
        if name in ("..", "."):
            raise StoreError(f"store {self._root}: {folder!r} is no path inside it.")
        self.check(above)
        path = f"{self._root}/{folder}"
        try:
            found = os.lstat(path)
        except OSError:
            return  # it is made later, or not there; either is found out by whoever asked
        if _is_link(found) and leads_out(self._root, path):
            raise StoreError(
                f"store {self._root}: its folder {folder} is a link to {os.path.realpath(path)}, outside of it, which "
                "is not followed: put the whole store there, or mount that folder here."
            )
        self._known.add(folder)

    def read_link(self, path: str) -> str | None:
        """Return what a file that is a link stands for; None, with a warning, if that lies outside.

        Parameters
        ----------
        path : str
            Of the file, whole.
        """
        if not leads_out(self._root, path):
            return os.path.realpath(path)
        if path not in self._told:
            self._told.add(path)
            warnings.warn(
                f"store {self._root}: {path[len(self._root) + 1 :]} is a link that leads out of the store. It is not "
                "followed, and counts as damaged.",
                stacklevel=5,
            )
        return None
