"""Writing files: all of a file or folder is there, or nothing of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dualdag.frames._meta import literal
from dualdag.frames._names import signature
from dualdag.frames._run import plain
from dualdag.frames._spelling import bind
from dualdag.graph import compile_graph

__all__ = ["WRITERS", "write", "write_value"]

#: Methods that write a file, and how the parts of a folder end.
WRITERS = {
    "to_csv": "csv",
    "to_excel": "xlsx",
    "to_feather": "feather",
    "to_hdf": "h5",
    "to_html": "html",
    "to_json": "json",
    "to_latex": "tex",
    "to_markdown": "md",
    "to_orc": "orc",
    "to_parquet": "parquet",
    "to_pickle": "pkl",
    "to_stata": "dta",
    "to_string": "txt",
    "to_xml": "xml",
}


def write(self: Any, owner: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Compute a lazy object and write it.

    Parameters
    ----------
    self : Lazy
        What is written.
    owner, name : str
        Class of pandas and method.
    args, kwargs
        As the user gave them; the target is the first parameter.

    Returns
    -------
    object
        What pandas gives: None, or text or bytes where there is no target.
    """
    bind(owner, name, args, kwargs)
    value = self.compute()
    answer = write_value(value, name, plain(args), plain(kwargs))
    known = signature(owner, name)
    target = args[0] if args else kwargs.get(next(iter(known.parameters)) if known is not None else "")
    if isinstance(target, (str, os.PathLike)) and _reads(self, os.fspath(target)):
        # The graph would read back what was just written, and do again what it did.
        self._become(literal(value))
    return answer


def _reads(self: Any, path: str) -> bool:
    """Tell whether a lazy object is made of the file, or of files in the folder, of this path."""
    wanted = os.path.realpath(Path(path.removeprefix("file://")).expanduser())
    found = [one.args[0] for one in compile_graph([self._handle.node]).nodes if one.op.kind == "file"]
    real = [os.path.realpath(str(one).removeprefix("file://")) for one in found]
    return path in found or any(one == wanted or one.startswith(f"{wanted}{os.sep}") for one in real)


def write_value(value: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Write a pandas object; arguments as for `write`."""
    known = signature(type(value).__name__, name)
    first = next(iter(known.parameters)) if known is not None else ""
    target = args[0] if args else kwargs.get(first)
    if not isinstance(target, (str, os.PathLike)):
        return getattr(value, name)(*args, **kwargs)
    rest = {key: one for key, one in kwargs.items() if key != first}
    path = os.fspath(target)
    if "://" in path and not path.startswith("file://"):
        return _to_url(value, name, path, args[1:], rest)
    return _to_local(value, name, path.removeprefix("file://"), args[1:], rest)


def _to_local(value: Any, name: str, path: str, args: tuple[Any, ...], rest: dict[str, Any]) -> Any:
    final = Path(path).expanduser()
    if not final.parent.is_dir():
        raise OSError(f"Cannot save file into a non-existent directory: '{final.parent}'")
    parts = path.endswith(("/", os.sep)) or final.is_dir()
    mode = rest.get("mode", "a" if name == "to_hdf" else "w")
    if mode == "x" and final.exists():
        raise FileExistsError(f"{final} is there already.")
    with _beside(final) as temporary:
        place = temporary / final.name
        if rest.get("partition_cols") or parts:
            _link_tree(final, place, but="part-" if not rest.get("partition_cols") else None)
        elif mode in ("a", "r+") and final.exists():
            shutil.copy2(final, place)
        given = place if rest.get("partition_cols") or not parts else place / f"part-00000.{WRITERS[name]}"
        answer = getattr(value, name)(str(given), *args, **rest)
        _swap(place, final)
    return answer


@contextmanager
def _beside(final: Path) -> Iterator[Path]:
    # In a folder of its own, so that the file's name, which may decide on compression and is kept
    # in archives, stays the same.
    folder = Path(tempfile.mkdtemp(prefix=".dualdag-", dir=final.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _link_tree(final: Path, place: Path, *, but: str | None) -> None:
    """Make a folder that holds what is there already, except earlier parts that are to be replaced."""
    place.mkdir()
    if not final.is_dir():
        return

    def left_out(_: str, names: list[str]) -> list[str]:
        return [one for one in names if but is not None and one.startswith(but)]

    shutil.copytree(final, place, ignore=left_out, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _swap(place: Path, final: Path) -> None:
    """Put what was written where it belongs."""
    if place.is_file():
        if final.exists():
            shutil.copymode(final, place)
        place.replace(final)
        return
    if final.exists():
        # A folder that is not empty can't be replaced at once: the old one steps aside first, and
        # back if its successor can't take its place.
        aside = place.with_name(f"{place.name}.old")
        final.rename(aside)
        try:
            place.rename(final)
        except BaseException:
            aside.rename(final)
            raise
        return
    place.rename(final)


def _to_url(value: Any, name: str, url: str, args: tuple[Any, ...], rest: dict[str, Any]) -> Any:
    import fsspec

    options = rest.pop("storage_options", None) or {}
    fs, root = fsspec.core.url_to_fs(url, **options)
    parts = url.endswith("/")
    root = root.rstrip("/")
    with tempfile.TemporaryDirectory(prefix="dualdag-") as folder:
        place = Path(folder) / root.rsplit("/", 1)[-1]
        if rest.get("mode") == "a" and not parts and fs.exists(root):
            fs.get_file(root, str(place))
        if parts and not rest.get("partition_cols"):
            place.mkdir()
        given = place / f"part-00000.{WRITERS[name]}" if place.is_dir() else place
        answer = getattr(value, name)(str(given), *args, **rest)
        if place.is_dir():
            fs.put(f"{place}/", f"{root}/", recursive=True)
        else:
            fs.put_file(str(place), root)
    return answer
