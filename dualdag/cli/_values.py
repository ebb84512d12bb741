"""An artifact's value, shown or written to a file."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = ["show_or_write"]


def show_or_write(name: str, value: Any, output: Path | None, *, as_json: bool) -> None:
    """Print a value, or write it to a file whose ending chooses the format.

    Parameters
    ----------
    name : str
        The artifact.
    value : object
        Its value.
    output : Path or None
        Where to; None prints.
    as_json : bool
        Whether to print one JSON document.
    """
    if output is not None:
        _write(name, value, output)
        text = {"artifact": name, "file": str(output), "bytes": output.stat().st_size}
        print(json.dumps(text) if as_json else f"written: {output}")
    elif as_json:
        print(json.dumps({"artifact": name, "type": type(value).__name__, "value": _plain(value)}, default=str))
    else:
        print(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)


def _plain(value: Any) -> Any:
    if hasattr(value, "to_json") and hasattr(value, "index"):
        return json.loads(value.to_json(orient="table" if value.index.is_unique else "split", date_format="iso"))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _pickled(value: Any, path: Path) -> None:
    import cloudpickle

    path.write_bytes(cloudpickle.dumps(value, protocol=5))


def _json(value: Any, path: Path) -> None:
    path.write_text(json.dumps(_plain(value), default=str), encoding="utf-8")


_FRAMES: dict[str, Callable[[Any, Path], object]] = {
    ".csv": lambda v, p: v.to_csv(p),
    ".parquet": lambda v, p: (v if hasattr(v, "columns") else v.to_frame()).to_parquet(p),
    ".html": lambda v, p: v.to_html(p),
    ".md": lambda v, p: v.to_markdown(p),
    ".txt": lambda v, p: p.write_text(v.to_string(), encoding="utf-8"),
    ".feather": lambda v, p: v.reset_index().to_feather(p),
    ".json": _json,
}


def _writer(name: str, value: Any, suffix: str) -> Callable[[Any, Path], object]:
    if suffix in (".pkl", ".pickle"):
        return _pickled
    if hasattr(value, "to_csv"):
        if suffix not in _FRAMES:
            raise click.UsageError(f"{name} is a table: use an ending of {', '.join([*_FRAMES, '.pkl'])}.")
        return _FRAMES[suffix]
    if isinstance(value, bytes):
        return lambda v, p: p.write_bytes(v)
    if isinstance(value, str):
        source = Path(value) if len(value) < 4096 and "\n" not in value and "\0" not in value else None
        if source is not None and source.is_absolute() and source.is_file():
            return lambda v, p: shutil.copyfile(v, p)
        return lambda v, p: p.write_text(v, encoding="utf-8")
    if suffix == ".npy":
        import numpy as np

        return lambda v, p: np.save(p.with_suffix(".npy") if p.suffix != ".npy" else p, v)
    if suffix == ".json":
        return _json
    raise click.UsageError(f"{name} is a {type(value).__name__}: use the ending .json or .pkl.")


def _write(name: str, value: Any, output: Path) -> None:
    """Write all or nothing: beside the file first, then in its place."""
    if output.is_dir():
        raise click.UsageError(f"{output} is a folder: name a file.")
    output.parent.mkdir(parents=True, exist_ok=True)
    writer = _writer(name, value, output.suffix.lower())
    handle, temporary = tempfile.mkstemp(dir=output.parent, prefix=f".{output.stem}-", suffix=output.suffix)
    os.close(handle)
    try:
        writer(value, Path(temporary))
        # mkstemp lets nobody else read; what a user asks for is a file like any other.
        Path(temporary).chmod(0o644 if not output.exists() else output.stat().st_mode & 0o777)
        Path(temporary).replace(output)
    finally:
        Path(temporary).unlink(missing_ok=True)
