"""What is known of a graph's input files without reading them."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING

from dualdag.errors import GraphError, StoreError
from dualdag.hashing import hash_key

if TYPE_CHECKING:
    from dualdag.graph import Graph
    from dualdag.hashing import DigestCache, FileToken

__all__ = ["FileView", "MissingFileError"]

_MAGIC = re.compile(r"[*?\[{]")


class MissingFileError(GraphError, FileNotFoundError):
    """A file of the graph is not there."""


class FileView:
    """What is known of the input files of a graph, by cheap tokens only.

    Parameters
    ----------
    cache : DigestCache or None
        Knows the digests of files by their tokens; None knows nothing.

    Attributes
    ----------
    known : dict of int to bytes
        By position: the content digest of a file, or the digest over names and contents of a list of files.
    unknown : dict of int to list of str
        By position: URLs whose bytes must be read first.
    missing : dict of int to str
        By position: what is wrong with a file that can't be had; an error only where it is looked at.
    """

    def __init__(self, cache: DigestCache | None = None) -> None:
        self._cache = cache
        self._learned: dict[str, bytes] = {}
        self._digests: dict[str, bytes | None] = {}
        self._urls: dict[int, list[str]] = {}
        self._bases: dict[int, str] = {}
        self._missing_urls: dict[str, str] = {}
        self._paths: dict[int, str] = {}
        self.known: dict[int, bytes] = {}
        self.unknown: dict[int, list[str]] = {}
        self.missing: dict[int, str] = {}

    def scan(self, graph: Graph) -> None:
        """Look at every file of the graph once: sizes, times and etags, never bytes.

        Parameters
        ----------
        graph : Graph
            What is about to be planned.

        Raises
        ------
        StoreError
            When a pattern can't be listed.
        """
        self._urls, self._bases, self._paths = {}, {}, {}
        for i, (node, inputs) in enumerate(zip(graph.nodes, graph.inputs, strict=True)):
            if inputs:
                continue
            kind = node._op.kind
            if kind == "file":
                self._paths[i] = node._args[0]
                self._urls[i] = [node._args[0]]
            elif kind == "files":
                self._urls[i] = _expand(node._args[0])
                self._bases[i] = _base(node._args[0])
        self._look_up(dict.fromkeys(url for urls in self._urls.values() for url in urls))
        self._sort(self._urls)

    def learn(self, digests: Mapping[str, bytes], tokens: Mapping[str, FileToken | None] | None = None) -> None:
        """Take in what was read, so that the next plan knows it.

        Parameters
        ----------
        digests : mapping of str to bytes
            Content digests by URL.
        tokens : mapping of str to FileToken, optional
            What each file looked like before it was read; with them the cache remembers it.
        """
        if tokens is not None and self._cache is not None:
            self._cache.put_many((url, tokens[url], digest) for url, digest in digests.items())
        self._learned.update(digests)
        self._digests.update(digests)
        for url in digests:
            self._missing_urls.pop(url, None)
        self._sort([i for i, urls in self._urls.items() if not digests.keys().isdisjoint(urls)])

    def recall(self, urls: Iterable[str]) -> list[str]:
        """Take in what the cache knows of files as they look now, and return those it does not know.

        Parameters
        ----------
        urls : iterable of str
            What to look at.
        """
        asked = list(urls)
        found = self._cache.lookup_many(asked) if self._cache is not None else {}
        self.learn({url: digest for url, digest in found.items() if digest is not None})
        return [url for url in asked if found.get(url) is None]

    def value(self, position: int) -> str | list[str]:
        """Return what a task receives: the path of a file, or the sorted paths of a list of files."""
        path = self._paths.get(position)
        return list(self._urls[position]) if path is None else path

    def urls(self, position: int) -> list[str]:
        """Return the URLs of the file or files at a position."""
        return list(self._urls[position])

    def digest(self, url: str) -> bytes | None:
        """Return the content digest of a file, or None if it is not known."""
        return self._digests.get(url)

    def check(self, graph: Graph, reached: bytearray | None = None, ended: Container[int] = ()) -> None:
        """Raise for the first file that is looked at and can't be had.

        Parameters
        ----------
        graph : Graph
            What was scanned.
        reached : bytearray or None
            1 for what is looked at; None for all.
        ended : container of int
            Positions above which nothing is looked at.

        Raises
        ------
        GraphError
            It names file and node; it is a FileNotFoundError too.
        """
        for i, problem in self.missing.items():
            if (reached is None or reached[i]) and i not in ended:
                node = graph.nodes[i]
                raise MissingFileError(f"{problem}, input {graph.label(i)!r} made at {node.site}.")

    def _look_up(self, urls: Iterable[str]) -> None:
        self._missing_urls = {}
        self._digests = {url: self._learned[url] for url in urls if url in self._learned}
        asked = [url for url in urls if url not in self._digests]
        if not asked:
            return
        cache = self._cache
        if cache is None:
            from dualdag.hashing import DigestCache

            cache = self._cache = DigestCache(None)
        try:
            self._digests.update(cache.lookup_many(asked))
        except StoreError:
            # One of them can't be asked, and may lie where nothing is looked at: find out which.
            for url in asked:
                try:
                    self._digests.update(cache.lookup_many([url]))
                except StoreError as error:
                    self._missing_urls[url] = str(error).rstrip(".")
        for url in asked:
            if url not in self._digests:
                self._missing_urls.setdefault(url, f"{url}: there is no such file")

    def _sort(self, positions: Iterable[int]) -> None:
        digests, missing = self._digests, self._missing_urls
        if positions is self._urls:
            self.known, self.unknown, self.missing = {}, {}, {}
        for i in list(positions):
            urls = self._urls[i]
            for column in (self.known, self.unknown, self.missing):
                column.pop(i, None)
            gone = [url for url in urls if url in missing]
            unread = [url for url in urls if digests.get(url) is None]
            if gone:
                self.missing[i] = missing[gone[0]]
            elif unread:
                self.unknown[i] = unread
            elif i in self._paths:
                self.known[i] = digests[urls[0]] or b""
            else:
                self.known[i] = _digest_of_list(self._bases[i], [(url, digests[url] or b"") for url in urls])


def _expand(pattern: str) -> list[str]:
    from dualdag.hashing import expand

    return expand(pattern)


def _digest_of_list(base: str, rows: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the digest of a list of files: names under the pattern's folder, and contents."""
    pairs = sorted((_plain(url).removeprefix(base), digest) for url, digest in rows)
    return hash_key(b"files", *(part for name, digest in pairs for part in (name.encode(), digest)))


def _base(pattern: str) -> str:
    """Return the folder in which all that a pattern matches lies."""
    plain = _plain(pattern)
    magic = _MAGIC.search(plain)
    return plain[: plain.rfind("/", 0, magic.start() if magic else len(plain)) + 1]


def _plain(url: str) -> str:
    """Return a URL without what file systems spell differently: protocol, first slashes, separators."""
    return url.rpartition("://")[2].replace("\\", "/").lstrip("/")
