"""Input files: read those whose contents are not known, and hold on to what they looked like then."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from dualdag.errors import StoreError
from dualdag.hashing import digest_file, file_token

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dualdag.hashing import FileToken
    from dualdag.planning import FileView, Plan

__all__ = ["look_at", "note_tokens", "read_files"]

_READERS = 8
#: Seconds after which a file with fine stamps is no longer racy.
_SETTLE = 0.011

Tokens = dict[str, "FileToken | None"]


def read_files(files: FileView, urls: Iterable[str], tokens: Tokens) -> None:
    """Digest files, and tell `files` and its cache.

    Parameters
    ----------
    files : FileView
        Learns the digests.
    urls : iterable of str
        What to read.
    tokens : dict of str to FileToken
        Filled with what each file looked like before it was read.

    Raises
    ------
    StoreError
        When a file is missing, can't be read, or keeps changing.
    """
    wanted = list(dict.fromkeys(urls))
    with ThreadPoolExecutor(max(1, min(_READERS, len(wanted))), "dualdag reader") as pool:
        read = dict(zip(wanted, pool.map(_read, wanted), strict=True))
    tokens.update({url: token for url, (token, _) in read.items()})
    files.learn({url: digest for url, (_, digest) in read.items()}, tokens)


def look_at(url: str) -> FileToken | None:
    """Return what a file looks like now; None where that can't be told."""
    try:
        return file_token(url)
    except StoreError:
        return None


def _read(url: str) -> tuple[FileToken | None, bytes]:
    token = file_token(url)
    if token is not None and token.racy:
        # Where stamps are fine, a moment later they tell the last write from the next one, and what is
        # read can be remembered; else the file would be read again by the next plan.
        time.sleep(_SETTLE)
        token = file_token(url)
    return token, digest_file(url)


def note_tokens(plan: Plan, files: FileView, tokens: Tokens) -> bool:
    """Take the tokens of the files that something which may run takes.

    A token taken now fits the digest that the plan was made with only if the file still has that
    digest after it: so files are asked for once more, and read where that tells nothing.

    Parameters
    ----------
    plan : Plan
        What is about to be carried out.
    files : FileView
        What is known of its files.
    tokens : dict of str to FileToken
        Filled.

    Returns
    -------
    bool
        Whether a file turned out to be another than the plan was made with.
    """
    graph = plan.graph
    places = {
        j
        for i, action in enumerate(plan.actions)
        if action in (2, 3)
        for j in graph.inputs[i]
        if not graph.inputs[j] and graph.nodes[j]._op.kind in ("file", "files")
    }
    urls = [url for j in sorted(places) for url in files.urls(j) if url not in tokens]
    if not urls:
        return False
    tokens.update({url: file_token(url) for url in urls})
    before = {j: files.known.get(j) for j in places}
    unsure = files.recall(urls)
    if unsure:
        read_files(files, unsure, tokens)
    return any(files.known.get(j) != digest for j, digest in before.items())
