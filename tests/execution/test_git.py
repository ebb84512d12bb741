"""The commit that a version of an artifact was made at."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from dualdag.execution._git import Git, git_commit


def test_git_commit(tmp_path):
    assert git_commit(tmp_path) is None
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert git_commit(tmp_path) is None
    (git / "packed-refs").write_text("# pack-refs\nabc123 refs/heads/main\n")
    assert git_commit(tmp_path / "sub" / "folder") == "abc123"
    (git / "refs/heads/main").write_text("def456\n")
    assert git_commit(tmp_path) == "def456"
    (git / "HEAD").write_text("0" * 40)
    assert git_commit(tmp_path) == "0" * 40
    tree = tmp_path / "tree"
    (git / "worktrees/tree").mkdir(parents=True)
    (git / "worktrees/tree/HEAD").write_text("ref: refs/heads/main\n")
    (git / "worktrees/tree/commondir").write_text("../..\n")
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {git}/worktrees/tree\n")
    assert git_commit(tree) == "def456"


def test_changes_to_tracked_files(tmp_path):
    git = shutil.which("git")
    if git is None:
        pytest.skip("needs git")

    def git_state(folder):
        asked = Git(folder)
        try:
            return asked.state()
        finally:
            asked.close()

    def call(*arguments):
        who = ["-c", "user.name=x", "-c", "user.email=x@y"]
        subprocess.run([git, *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    assert git_state(tmp_path) == (None, None)
    call("init", "-q")
    (tmp_path / "a").write_text("1")
    call("add", "a")
    call("commit", "-qm", "one")
    commit, dirty = git_state(tmp_path)
    assert len(commit) == 40
    assert dirty is False
    (tmp_path / "new").write_text("1")
    assert git_state(tmp_path).dirty is False
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path) == (commit, True)
    asked = Git(tmp_path)
    asked.close()  # before it answered
    assert asked.state() == (commit, None)
