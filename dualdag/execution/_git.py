"""The commit that a folder is at, read from git's own files, and whether its tree has changes, which git tells."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

__all__ = ["GitState", "git_commit", "git_state"]

#: Seconds after which git is not waited for any more.
_PATIENCE = 2.0


class GitState(NamedTuple):
    """Where a folder's repository stands: commit, and whether tracked files differ from it; None is not known."""

    commit: str | None
    dirty: bool | None


def git_state(start: Path) -> GitState:
    """Return where the repository stands that a folder lies in.

    Parameters
    ----------
    start : Path
        A folder.
    """
    commit = git_commit(start)
    git = shutil.which("git") if commit is not None else None
    if git is None:
        return GitState(commit, None)
    # https://git-scm.com/docs/git-status: for scripts, and without locks that would hinder others.
    command = [git, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no"]
    try:
        done = subprocess.run(  # noqa: S603 - the program that the path names, with fixed arguments
            command, cwd=start, capture_output=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return GitState(commit, None)
    return GitState(commit, bool(done.stdout.strip()) if done.returncode == 0 else None)


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
