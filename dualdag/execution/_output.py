"""What tasks print: shown as ever, and kept with the node that printed it."""

from __future__ import annotations

import sys
import threading
from contextvars import ContextVar
from typing import Any

__all__ = ["Output", "captured_output"]

#: Characters that are kept of the beginning and of the end of what a node prints.
HEAD, TAIL = 32_768, 32_768


class Output:
    """What one node printed: all of it, or beginning and end where it is much."""

    __slots__ = ("_count", "_head", "_tail", "_tail_size")

    def __init__(self) -> None:
        self._count = 0

    def add(self, text: str) -> None:
        """Take in a piece.

        Parameters
        ----------
        text : str
            As it was written.
        """
        with _adding:
            if not self._count:
                self._head: list[str] = []
                self._tail: list[str] = []
                self._tail_size = 0
            free = max(0, HEAD - self._count)
            self._count += len(text)
            if free:
                self._head.append(text[:free])
            rest = text[free:]
            if rest:
                self._tail.append(rest)
                self._tail_size += len(rest)
                if self._tail_size > 4 * TAIL:
                    self._tail = ["".join(self._tail)[-TAIL:]]
                    self._tail_size = TAIL

    def text(self) -> str:
        """Return what is kept.

        Examples
        --------
        >>> output = Output()
        >>> output.add("x" * 100_000)
        >>> len(output.text())
        65572
        """
        if not self._count:
            return ""
        head, tail = "".join(self._head), "".join(self._tail)[-TAIL:]
        left_out = self._count - len(head) - len(tail)
        return f"{head}\n... {left_out:,} characters left out ...\n{tail}" if left_out else head + tail


_output: ContextVar[Output | None] = ContextVar("dualdag_output", default=None)
_lock, _adding = threading.Lock(), threading.Lock()
_active = 0


class _Tee:
    """A stream that passes everything on, and keeps what the running node writes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        output = _output.get()
        if output is not None:
            output.add(text)
        written: int = self._stream.write(text)
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class captured_output:  # noqa: N801 - used as a function
    """Keep what is printed in this context for the length of the block; it is shown all the same.

    Examples
    --------
    >>> with captured_output() as output:
    ...     print("shown")
    shown
    >>> output.text().strip()
    'shown'
    """

    __slots__ = ("_output", "_token")

    def __enter__(self) -> Output:
        global _active  # noqa: PLW0603 - standard streams are the process's too
        with _lock:
            _active += 1
            # Also where a task put others in their place since.
            if type(sys.stdout) is not _Tee or type(sys.stderr) is not _Tee:
                _put_in_place()
        self._output = Output()
        self._token = _output.set(self._output)
        return self._output

    def __exit__(self, *exc: object) -> None:
        global _active  # noqa: PLW0603
        _output.reset(self._token)
        with _lock:
            _active -= 1
            if not _active:
                _put_back()


def _put_in_place() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and type(stream) is not _Tee:
            setattr(sys, name, _Tee(stream))


def _put_back() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is _Tee:
            setattr(sys, name, stream._stream)
