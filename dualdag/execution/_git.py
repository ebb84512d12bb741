"""The commit that a folder is at, read from git's own files: no process is started for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["git_commit"]


def git_commit(start: Path) -> str | None:
    """Return the commit that is checked out in or above a folder, or None.

    Parameters
    ----------
    start : Path
        Where to look first.
    """
    try:
        for folder in (start, *start.parents):
            place = folder / ".git"
            if place.exists():
                return _head(_git_folder(place))
    except (OSError, UnicodeDecodeError, ValueError):
        return None
    return None


def _git_folder(place: Path) -> Path:
    if place.is_dir():
        return place
    # A worktree or submodule has a file that names the folder.
    name = place.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
    return (place.parent / name).resolve()


def _head(git: Path) -> str | None:
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref:"):
        return head or None
    ref = head.partition(":")[2].strip()
    common = git / "commondir"
    homes = [git, (git / common.read_text(encoding="utf-8").strip()).resolve()] if common.exists() else [git]
    for home in homes:
        loose = home / ref
        if loose.is_file():
            return loose.read_text(encoding="utf-8").strip() or None
        packed = home / "packed-refs"
        if packed.is_file():
            for line in packed.read_text(encoding="utf-8").splitlines():
                commit, _, name = line.partition(" ")
                if name.strip() == ref:
                    return commit
    return None
