"""Whether workers are fit for a run: their Python, their dualdag, and what they see of the store."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, NamedTuple

import dualdag
from dualdag.errors import BackendError
from dualdag_dask._worker import hello

__all__ = ["Seen", "check_workers"]


class Seen(NamedTuple):
    """What workers see of the driver's machine."""

    near: bool
    """Whether all are on this machine."""
    store: bool
    """Whether all see the store's folder."""


def check_workers(client: Any, address: str, workers: list[str], folder: str) -> Seen:
    """Ask each worker what it is, and raise BackendError for one that can't run this process's code.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    address : str
        Of the scheduler, for the message.
    workers : list of str
        Their addresses.
    folder : str
        The store's, if it is one.
    """
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    answers = client.run(hello, folder, workers=workers, on_error="return")
    mine = hello(folder)
    for worker, answer in answers.items():
        if isinstance(answer, BaseException):
            raise BackendError(
                f"the worker {worker} of the Dask cluster at {address} can't load dualdag "
                f"({type(answer).__name__}: {answer}): {_install()} there."
            ) from answer
        version, python, _, _ = answer
        if version != mine[0]:
            raise BackendError(
                f"the worker {worker} of the Dask cluster at {address} has dualdag {version}, and here is {mine[0]}: "
                f"{_install()} there."
            )
        if python.split(".")[:2] != mine[1].split(".")[:2]:
            raise BackendError(
                f"the worker {worker} of the Dask cluster at {address} runs Python {python}, and here is {mine[1]}: "
                "functions can't travel between them. Start it with the same Python."
            )
    name = socket.gethostname()
    near = all(answer[2] == name for answer in answers.values())
    return Seen(near, not folder or all(answer[3] == mine[3] for answer in answers.values()))


def _install() -> str:
    return f'pip install "dualdag[dask]=={dualdag.__version__}"'
