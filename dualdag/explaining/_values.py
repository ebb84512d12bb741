"""How two values differ, whatever they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from dualdag.explaining._cause import WIDTH, unified
from dualdag.explaining._difference import SAMPLES, Difference, around, first_unlike, largest_gap, shown
from dualdag.explaining._frames import diff_frames, is_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["diff_files", "diff_values"]

_MOST_FOUND = 1000
_MOST_SHOWN = 20
_DEEPEST = 12
_BLOCK = 1 << 20
_MOST_TEXT = 1_000_000
_PLAIN = (dict, list, tuple, set, frozenset)
_ATOMS = (bool, int, float, complex, str, bytes, type(None))


def diff_values(one: Any, two: Any, key: Sequence[str] = ()) -> Difference:
    """Return how two values differ.

    Parameters
    ----------
    one, two : object
        The older one and the newer one.
    key : sequence of str
        Of frames: the columns that tell which row is which.
    """
    if is_frame(one) and is_frame(two):
        return diff_frames(one, two, key)
    if type(one) is not type(two) and not (isinstance(one, (int, float)) and isinstance(two, (int, float))):
        was, now = _class(one), _class(two)
        lines = (f"{was} {shown(one)}", f"-> {now} {shown(two)}")
        return Difference("type", equal=False, lines=lines, found={"types": [was, now]})
    if _is_array(one):
        return _diff_arrays(one, two)
    if isinstance(one, str):
        return _diff_text(one, two)
    if isinstance(one, bytes):
        return _diff_bytes(one, two, "bytes")
    if type(one).__name__ == "File" and type(one).__module__.startswith("dualdag"):
        return diff_files(one.path, two.path)
    kind = "plain" if isinstance(one, (*_PLAIN, *_ATOMS)) else "object"
    changes = list(_bounded(_changes(one, two, "", ())))
    return Difference(kind, not changes, tuple(_change_lines(changes, one)), {"changes": changes})


def _class(value: Any) -> str:
    module = type(value).__module__
    return type(value).__qualname__ if module == "builtins" else f"{module}.{type(value).__qualname__}"


def _is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and type(value).__name__ == "ndarray"


def _diff_arrays(one: Any, two: Any) -> Difference:
    import numpy as np

    found: dict[str, Any] = {"shape": [list(one.shape), list(two.shape)], "dtype": [str(one.dtype), str(two.dtype)]}
    lines = []
    if one.shape != two.shape:
        lines.append(f"shape: {one.shape} -> {two.shape}")
    if one.dtype != two.dtype:
        lines.append(f"dtype: {one.dtype} -> {two.dtype}")
    if one.shape == two.shape:
        count, largest, places = _unlike(one.reshape(-1), two.reshape(-1))
        found |= {"differing": count, "largest": largest}
        if count:
            share = f"{count:,} of {one.size:,} values differ"
            lines.append(share + (f", at most {largest:g} apart" if largest is not None else ""))
        rows = [(np.unravel_index(k, one.shape), one.reshape(-1)[k], two.reshape(-1)[k]) for k in places]
        found["samples"] = [[[int(n) for n in at], shown(was), shown(now)] for at, was, now in rows]
        lines += [f"  [{', '.join(map(str, at))}]: {was} -> {now}" for at, was, now in found["samples"]]
    return Difference("array", not lines, tuple(lines), found)


def _unlike(one: Any, two: Any) -> tuple[int, float | None, list[int]]:
    """Return how many values differ, by how much at the most, and where the first do; a block at a time."""
    import numpy as np

    count, gaps = 0, []
    places: list[int] = []
    for start in range(0, len(one), _BLOCK):
        was, now = one[start : start + _BLOCK], two[start : start + _BLOCK]
        if "O" in (one.dtype.kind, two.dtype.kind):  # cells that may be arrays themselves
            unlike = np.fromiter((not _same(a, b) for a, b in zip(was, now, strict=True)), bool, len(was))
        else:
            unlike = np.asarray(was != now)
            if one.dtype.kind == two.dtype.kind and one.dtype.kind in "fcmM":
                unlike &= ~((was != was) & (now != now))  # noqa: PLR0124 - what is missing is unlike itself
        here = np.flatnonzero(unlike)
        count += len(here)
        places += [start + int(k) for k in here[: SAMPLES - len(places)]]
        gaps.append(largest_gap(was[here], now[here]))
    return count, max((gap for gap in gaps if gap is not None), default=None), places


def _diff_text(one: str, two: str) -> Difference:
    diff, lines = _text_diff(one, two)
    found = {"characters": [len(one), len(two)], "diff": diff}
    sizes = [] if len(one) == len(two) else [f"{len(one):,} -> {len(two):,} characters"]
    return Difference("text", one == two, (*sizes, *lines), found)


def _text_diff(one: str, two: str) -> tuple[str, list[str]]:
    """Return a unified diff, and it as lines, with the place in words where lines don't show it."""
    diff = unified(one[:_MOST_TEXT], two[:_MOST_TEXT], "was", "now")
    lines = diff.splitlines()
    if one == two or (lines and max(map(len, lines)) < WIDTH - 2):
        return diff, lines
    at = first_unlike(one, two)
    place = f"{around(one, at)!r} -> {around(two, at)!r}"
    return diff, [f"unlike from character {at + 1:,} on: {place}", *lines]


def _diff_bytes(one: bytes, two: bytes, kind: str) -> Difference:
    from blake3 import blake3

    from dualdag.report import bytes_text

    digests = [blake3(data).hexdigest() for data in (one, two)]
    found: dict[str, Any] = {"nbytes": [len(one), len(two)], "digests": digests}
    if one == two:
        return Difference(kind, equal=True, found=found)
    lines = [f"{bytes_text(len(data))}, digest {digest[:12]}" for data, digest in zip((one, two), digests, strict=True)]
    lines = [lines[0], f"-> {lines[1]}"]
    texts = [_text(data) for data in (one, two)]
    if texts[0] is not None and texts[1] is not None:
        found["diff"], told = _text_diff(texts[0], texts[1])
        lines += told
    return Difference(kind, equal=False, lines=tuple(lines), found=found)


def _text(data: bytes) -> str | None:
    if len(data) > _MOST_TEXT or b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def diff_files(one: str, two: str) -> Difference:
    """Return how two local files differ: by their text where they have one, else by digest.

    Parameters
    ----------
    one, two : str
        Their paths.
    """
    from pathlib import Path

    from dualdag.hashing import digest_file
    from dualdag.report import bytes_text

    sizes = [Path(path).stat().st_size for path in (one, two)]
    if max(sizes) <= _MOST_TEXT:
        return _diff_bytes(Path(one).read_bytes(), Path(two).read_bytes(), "file")
    digests = [digest_file(path).hex() for path in (one, two)]
    lines = [f"{bytes_text(size)}, digest {digest[:12]}" for size, digest in zip(sizes, digests, strict=True)]
    equal = digests[0] == digests[1]
    found = {"nbytes": sizes, "digests": digests}
    return Difference("file", equal, () if equal else (lines[0], f"-> {lines[1]}"), found)


Change = dict[str, Any]
#: What two values are held by, the outermost first.
_Above = tuple[tuple[Any, Any], ...]


def _changes(one: Any, two: Any, path: str, above: _Above) -> Iterator[Change]:
    """Yield where two values differ, the outer before the inner."""
    if one is two or any(a is one and b is two for a, b in above):  # the second: what holds itself
        return
    deep, above = len(above) > _DEEPEST, (*above, (one, two))
    if deep or type(one) is not type(two) or isinstance(one, (*_ATOMS, Enum, PurePath)):
        if not _same(one, two):
            yield _change(path, one, two)
    elif isinstance(one, dict):
        yield from _of_dicts(one, two, path, above)
    elif isinstance(one, (list, tuple)):
        yield from _of_lists(one, two, path, above)
    elif isinstance(one, (set, frozenset)):
        yield from ({"path": path, "was": shown(member)} for member in sorted(one - two, key=repr))
        yield from ({"path": path, "now": shown(member)} for member in sorted(two - one, key=repr))
    elif is_frame(one) or _is_array(one):
        inner = diff_frames(one, two) if is_frame(one) else _diff_arrays(one, two)
        if not inner.equal:
            yield {"path": path, "text": inner.lines[0], "difference": inner.to_dict()}
    else:
        yield from _of_objects(one, two, path, above)


def _of_dicts(one: Mapping[Any, Any], two: Mapping[Any, Any], path: str, above: _Above) -> Iterator[Change]:
    for name, was in one.items():
        if name in two:
            yield from _changes(was, two[name], f"{path}[{shown(name)}]", above)
        else:
            yield {"path": f"{path}[{shown(name)}]", "was": shown(was)}
    yield from ({"path": f"{path}[{shown(name)}]", "now": shown(now)} for name, now in two.items() if name not in one)
    if [name for name in one if name in two] != [name for name in two if name in one]:
        yield {"path": path, "text": "keys stand in another order"}


def _of_lists(one: Sequence[Any], two: Sequence[Any], path: str, above: _Above) -> Iterator[Change]:
    start = next((k for k, (a, b) in enumerate(zip(one, two, strict=False)) if not _same(a, b)), None)
    if len(one) == len(two):
        for k in range(len(one)):
            yield from _changes(one[k], two[k], f"{path}[{k}]", above)
        return
    # What came or went in one place moves all behind it: what is alike at both ends is left out.
    head = min(len(one), len(two)) if start is None else start
    tail = 0
    while tail < min(len(one), len(two)) - head and _same(one[-1 - tail], two[-1 - tail]):
        tail += 1
    old, new = one[head : len(one) - tail], two[head : len(two) - tail]
    both = min(len(old), len(new))
    for k in range(both):
        yield from _changes(old[k], new[k], f"{path}[{head + k}]", above)
    yield from ({"path": f"{path}[{head + both + k}]", "was": shown(was)} for k, was in enumerate(old[both:]))
    yield from ({"path": f"{path}[{head + both + k}]", "now": shown(now)} for k, now in enumerate(new[both:]))


def _of_objects(one: Any, two: Any, path: str, above: _Above) -> Iterator[Change]:
    """Yield where objects differ: models by their parameters and what was fitted, others by their attributes."""
    was, now = _parameters(one), _parameters(two)
    yield from _named(was, now, path, above)
    old, new = _attributes(one, was), _attributes(two, now)
    if old is None or new is None:
        if not was and not _same(one, two):
            yield _change(path, one, two)
        return
    yield from _named(old, new, path, above)


def _named(was: Mapping[str, Any], now: Mapping[str, Any], path: str, above: _Above) -> Iterator[Change]:
    dot = f"{path}." if path else ""
    for name in {**was, **now}:
        if name not in now:
            yield {"path": dot + name, "was": shown(was[name])}
        elif name not in was:
            yield {"path": dot + name, "now": shown(now[name])}
        else:
            yield from _changes(was[name], now[name], dot + name, above)


def _parameters(value: Any) -> dict[str, Any]:
    """Return the parameters of a model, as scikit-learn's estimators tell them."""
    ask = getattr(value, "get_params", None)
    if ask is None or isinstance(value, type):
        return {}
    try:
        return dict(ask(deep=False))
    except Exception:  # noqa: BLE001 - someone else's method of that name
        return {}


def _attributes(value: Any, known: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the attributes of an object, those of slots too; None where it has none."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name, None) for one in fields(value)}
    slots = [name for cls in type(value).__mro__ for name in _slots(cls)]
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    inner = getattr(value, "__dict__", None)
    if inner is None and not found:
        return None
    return {name: one for name, one in {**found, **(inner or {})}.items() if name not in known}


def _slots(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(name for name in slots if not name.startswith("__"))


def _same(one: Any, two: Any) -> bool:
    """Return whether two values are alike, by their digests where they don't say."""
    if type(one) in _ATOMS and type(two) in _ATOMS:
        # By their text, as 0.0 equals -0.0 and nothing equals NaN.
        return type(one) is type(two) and (repr(one) == repr(two) if isinstance(one, (float, complex)) else one == two)
    from dualdag.hashing import digest_value

    try:
        return digest_value(one) == digest_value(two)
    except Exception:  # noqa: BLE001 - what has no content of its own
        return repr(one) == repr(two)


def _change(path: str, one: Any, two: Any) -> Change:
    was, now = shown(one), shown(two)
    if was == now and type(one) is type(two) and isinstance(one, (str, bytes)):
        at = first_unlike(one, two)
        was, now = (f"...{around(value, at)!r}" for value in (one, two))
    return {"path": path, "was": was, "now": now}


def _bounded(changes: Iterator[Change]) -> Iterator[Change]:
    for k, one in enumerate(changes):
        if k == _MOST_FOUND:
            return
        yield one


def _change_lines(changes: list[Change], one: Any) -> Iterator[str]:
    for change in changes[:_MOST_SHOWN]:
        path = change["path"] or _class(one)
        if "text" in change:
            yield f"{path}: {change['text']}"
        elif "now" not in change:
            yield f"{path}: {change['was']} was taken away"
        elif "was" not in change:
            yield f"{path}: {change['now']} was added"
        else:
            yield f"{path}: {change['was']} -> {change['now']}"
    if len(changes) > _MOST_SHOWN:
        more = "at least " if len(changes) == _MOST_FOUND else ""
        yield f"and {more}{len(changes) - _MOST_SHOWN} more; --json lists them"
