"""`dualdag get`: an artifact's value, shown or written to a file."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualdag.cli._command import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dualdag.store import Store, Version

__all__ = ["of_value", "written"]

_ROWS = 20


def of_value(store: Store, name: str, number: int | None, output: str | None) -> Answer:
    """Show a value, or write it to a file whose ending chooses the format.

    Parameters
    ----------
    store : Store
        Where it is.
    name : str
        The artifact.
    number : int or None
        Its version; None for the newest.
    output : str or None
        The file; None shows the value.
    """
    if str(Path.cwd()) not in sys.path:
        # A value may be of a class of the flow's: its module is found where the flow mostly lies.
        sys.path.append(str(Path.cwd()))
    found = store.version(name, number)
    row = {"artifact": name, "version": found.number}
    if output is not None and output != "-":
        path = Path(output)
        _write_to(store, found, path)
        document = row | {"file": output, "bytes": path.stat().st_size}
        return Answer(document, lambda: click.echo(f"written: {output}"))
    if found.codec == "file":
        data = store.get_object(found.checksum)
        return Answer(row | {"type": "File", "value": _text_or_hex(data)}, lambda: _put_bytes(data))
    value = store.load(found.checksum, found.codec)
    return Answer(row | {"type": type(value).__name__, "value": _jsonable(value)}, lambda: _show(value))


def _write_to(store: Store, found: Version, path: Path) -> None:
    _check_place(path)
    if found.codec == "file":
        data = store.get_object(found.checksum)
        with written(path) as temporary:
            temporary.write_bytes(data)
        return
    value = store.load(found.checksum, found.codec)
    writer = _writer(found.name, value, path.suffix.lower())
    with written(path) as temporary:
        try:
            writer(value, temporary)
        except ImportError as error:
            raise click.UsageError(f"writing {path.suffix} needs a package: {error}") from error


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Give a name beside a file to write to; it takes the file's place when the block ends well.

    Parameters
    ----------
    path : Path
        The file.
    """
    _check_place(path)
    temporary = path.with_name(f".{path.stem[:100]}-{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _check_place(path: Path) -> None:
    try:
        if path.is_dir():
            raise click.UsageError(f"-o {path} is a folder: name a file.")
        if not path.parent.is_dir():
            raise click.UsageError(f"-o {path}: there is no folder {path.parent}.")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> click.UsageError:
    reason = (error.strerror or str(error)).lower()
    return click.UsageError(f"-o {path} can't be written: {reason}. Mend that, or name another file.")


# Showing.


def _show(value: Any) -> None:
    kind = _kind(value)
    if isinstance(value, bytes):
        _put_bytes(value)
    elif isinstance(value, str):
        sys.stdout.write(value if value.endswith("\n") or not sys.stdout.isatty() else f"{value}\n")
    elif kind == "pandas":
        print(value.head(_ROWS).to_string())
        if len(value) > _ROWS:
            print(f"... {len(value)} rows in all; -o FILE.csv writes them")
    elif isinstance(value, (dict, list, tuple, set, frozenset)):
        import pprint

        print(pprint.pformat(value, width=100, sort_dicts=False))
    else:
        print(value)


def _put_bytes(data: bytes) -> None:
    text = _text_or_hex(data)
    if sys.stdout.isatty() and isinstance(text, dict):
        raise click.UsageError(f"the value is {len(data)} bytes that are no text: name a file with -o.")
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(data.decode("utf-8", "replace"))
    else:
        buffer.write(data)
        buffer.flush()


def _text_or_hex(data: bytes) -> Any:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"hex": data.hex()}


def _kind(value: Any) -> str:
    """Return the library of a table or an array; empty for anything else."""
    for library, names in {
        "pandas": ("DataFrame", "Series", "Index"),
        "polars": ("DataFrame", "Series"),
        "pyarrow": ("Table",),
        "numpy": ("ndarray",),
    }.items():
        module = sys.modules.get(library)
        kinds = tuple(getattr(module, name) for name in names) if module is not None else ()
        if isinstance(value, kinds):
            return library
    return ""


def _jsonable(value: Any) -> Any:
    kind = _kind(value)
    if kind == "pandas":
        frame = _frame(value)
        return json.loads(frame.to_json(orient="split", date_format="iso", default_handler=str))
    if kind == "polars":
        return value.to_dict(as_series=False) if hasattr(value, "columns") else value.to_list()
    if kind == "pyarrow":
        return value.to_pydict()
    if kind == "numpy":
        return value.tolist()
    if isinstance(value, bytes):
        return _text_or_hex(value)
    try:
        return json.loads(json.dumps(value, default=repr))
    except (TypeError, ValueError):
        return repr(value)


# Writing.


def _frame(value: Any) -> Any:
    return value if hasattr(value, "columns") else value.to_frame()


def _plain_index(value: Any) -> bool:
    index = value.index
    return bool(type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1 and index.name is None)


def _default_index(value: Any) -> Any:
    frame = _frame(value)
    return frame if _plain_index(frame) else frame.reset_index()


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _pickle(value: Any, path: Path) -> None:
    import cloudpickle

    path.write_bytes(cloudpickle.dumps(value, protocol=5))


def _json(value: Any, path: Path) -> None:
    _text(path, json.dumps(_jsonable(value), indent=2) + "\n")


def _npy(value: Any, path: Path) -> None:
    import numpy as np

    with path.open("wb") as file:
        np.save(file, value, allow_pickle=False)


def _parquet(value: Any, path: Path) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(value, path)


_WRITERS: dict[str, dict[str, Callable[[Any, Path], object]]] = {
    "pandas": {
        ".csv": lambda v, p: _frame(v).to_csv(p, index=not _plain_index(_frame(v))),
        ".tsv": lambda v, p: _frame(v).to_csv(p, index=not _plain_index(_frame(v)), sep="\t"),
        ".parquet": lambda v, p: _frame(v).to_parquet(p),
        ".feather": lambda v, p: _default_index(v).to_feather(p),
        ".arrow": lambda v, p: _default_index(v).to_feather(p),
        ".json": lambda v, p: _default_index(v).to_json(p, orient="records", date_format="iso", indent=1),
        ".jsonl": lambda v, p: _default_index(v).to_json(p, orient="records", date_format="iso", lines=True),
        ".html": lambda v, p: _text(p, _frame(v).to_html()),
        ".md": lambda v, p: _text(p, _frame(v).to_markdown() + "\n"),
        ".txt": lambda v, p: _text(p, _frame(v).to_string() + "\n"),
        ".xlsx": lambda v, p: _frame(v).to_excel(p),
    },
    "polars": {
        ".csv": lambda v, p: v.write_csv(p),
        ".tsv": lambda v, p: v.write_csv(p, separator="\t"),
        ".parquet": lambda v, p: v.write_parquet(p),
        ".feather": lambda v, p: v.write_ipc(p),
        ".arrow": lambda v, p: v.write_ipc(p),
        ".json": lambda v, p: v.write_json(p),
        ".jsonl": lambda v, p: v.write_ndjson(p),
        ".html": lambda v, p: _text(p, v._repr_html_()),
        ".txt": lambda v, p: _text(p, f"{v}\n"),
    },
    "pyarrow": {
        ".parquet": _parquet,
        ".csv": lambda v, p: v.to_pandas().to_csv(p, index=False),
        ".json": _json,
        ".txt": lambda v, p: _text(p, f"{v}\n"),
    },
    "numpy": {".npy": _npy, ".json": _json, ".txt": lambda v, p: _text(p, f"{v}\n")},
    "": {".json": _json, ".txt": lambda v, p: _text(p, f"{v}\n")},
}
_WRITERS["pandas"][".ndjson"] = _WRITERS["pandas"][".jsonl"]
_WRITERS["polars"][".ndjson"] = _WRITERS["polars"][".jsonl"]


def _writer(name: str, value: Any, ending: str) -> Callable[[Any, Path], object]:
    """Return what writes a value in the format of a file's ending."""
    if ending in {".pkl", ".pickle"}:
        return _pickle
    if isinstance(value, (bytes, bytearray)):
        return lambda v, p: p.write_bytes(v)
    if isinstance(value, str) and ending != ".json":
        return lambda v, p: p.write_bytes(v.encode("utf-8", "surrogateescape"))
    known = _WRITERS[_kind(value)]
    if ending not in known:
        endings = ", ".join([*known, ".pkl"])
        raise click.UsageError(f"{name} holds {type(value).__qualname__}: it can be written as {endings}.")
    if _kind(value) == "polars" and not hasattr(value, "columns"):
        return lambda v, p: known[ending](v.to_frame(), p)
    return known[ending]
