"""Where operations are tried with faults."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from dualdag.testing._crashes import Place

__all__ = ["PLACES", "at_url", "has_s3", "make_bucket", "s3_place", "s3_server"]

#: Ends with whoever started it: its standard input closes then.
_SERVER = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.disable()
server = ThreadedMotoServer(port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


def _folder(**options: Any) -> Callable[[Path], Place]:
    return lambda folder: Place(str(folder / "store"), folder, **options)


def _by_fsspec(folder: Path) -> Place:
    # Written under its own name from the first byte on: what is found there may be half of it.
    return Place(f"fault::file://{folder.as_posix()}/store", folder, whole=False)


def _memory(_folder: Path) -> Place:
    return Place(f"memory://{uuid.uuid4().hex}", _folder, tears=False, forgets=True)


#: Places of every machine, by what they are called in tables.
PLACES: Mapping[str, Callable[[Path], Place]] = {
    "folder": _folder(),
    "folder, durable": _folder(durable=True),
    "folder without hard links": _folder(links=False, whole=False),
    "folder without hard links, durable": _folder(links=False, whole=False, durable=True),
    "folder, through fsspec": _by_fsspec,
    "memory": _memory,
}


def at_url(url: str) -> Callable[[Path], Place]:
    """Return what makes places below a URL, as far as the URL tells what they are like.

    Parameters
    ----------
    url : str
        Of an empty place; what is tried there stays there.
    """
    here = "://" not in url or url.startswith(("file://", "local://"))

    def make(folder: Path) -> Place:
        where = f"{url.rstrip('/')}/{uuid.uuid4().hex}"
        return Place(where, folder, tears=here, forgets=url.startswith("memory://"))

    return make


def has_s3() -> bool:
    """Say whether an S3 of our own can be started, to test with."""
    return all(importlib.util.find_spec(name) is not None for name in ("s3fs", "moto", "flask"))


@contextmanager
def s3_server() -> Iterator[dict[str, Any]]:
    """Start a server that answers as S3 does, and yield the options by which fsspec reaches it.

    It is moto's, in a process of its own: those who are tried fork, and die.
    """
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - ours
        assert server.stdout is not None
        host, port = server.stdout.readline().split()
        try:
            yield {"endpoint_url": f"http://{host}:{port}", "key": "k", "secret": "s"}
        finally:
            server.kill()


def make_bucket(server: str) -> str:
    """Make a bucket on a server of `s3_server` and return its name.

    Not by s3fs, whose thread must not be there yet when children fork.

    Parameters
    ----------
    server : str
        Its URL.
    """
    name = f"b{uuid.uuid4().hex}"
    connection = HTTPConnection(server.removeprefix("http://"))
    connection.request("PUT", f"/{name}", headers={"Authorization": "AWS4-HMAC-SHA256 Credential=k/1/us-east-1/s3/x"})
    assert connection.getresponse().status == 200
    connection.close()
    return name


@contextmanager
def s3_place() -> Iterator[Callable[[Path], Place]]:
    """Start an S3 to test with, let fsspec find it, and yield what makes places there."""
    from fsspec.config import conf

    before = conf.get("s3")
    with s3_server() as options:
        bucket = make_bucket(options["endpoint_url"])
        conf["s3"] = options
        try:
            yield at_url(f"s3://{bucket}")
        finally:
            if before is None:
                del conf["s3"]
            else:
                conf["s3"] = before
