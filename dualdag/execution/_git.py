"""The commit that a folder is at, read from git's own files, and whether its tree has changes, which git tells."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

__all__ = ["Git", "GitState", "git_commit"]

#: Seconds after which git is not waited for any more.
_PATIENCE = 2.0


class GitState(NamedTuple):
    """Where a folder's repository stands: commit, and whether tracked files differ from it; None is not known."""

    commit: str | None
    dirty: bool | None


class Git:
    """Asks git where the repository stands that a folder lies in, while the caller does something else.

    Parameters
    ----------
    start : Path
        A folder.
    """

    def __init__(self, start: Path) -> None:
        self._commit = git_commit(start)
        self._asked: subprocess.Popen[bytes] | None = None
        self._state: GitState | None = None
        git = shutil.which("git") if self._commit is not None else None
        if git is None:
            return
        # https://git-scm.com/docs/git-status: for scripts, and without locks that would hinder others.
        command = [git, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no"]
        quiet = subprocess.DEVNULL
        try:
            # The program that the path names, with fixed arguments.
            self._asked = subprocess.Popen(command, cwd=start, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet)  # noqa: S603
        except OSError:
            return

    def state(self) -> GitState:
        """Return how it stood when it was asked; waits a little for the answer."""
        if self._state is None:
            dirty = None
            if self._asked is not None:
                try:
                    told, _ = self._asked.communicate(timeout=_PATIENCE)
                    dirty = bool(told.strip()) if self._asked.returncode == 0 else None
                except (OSError, ValueError, subprocess.SubprocessError):
                    pass
            self._state = GitState(self._commit, dirty)
        return self._state

    def close(self) -> None:
        """Ask no more."""
        asked = self._asked
        if asked is None:
            return
        if asked.returncode is None:
            asked.kill()
            asked.wait()
        if asked.stdout is not None:
            asked.stdout.close()


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
