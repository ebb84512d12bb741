"""What `log` prints: runs, one run, one node of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dualdag.cli._command import Answer
from dualdag.cli._output import plain
from dualdag.errors import ArtifactNotFoundError, did_you_mean
from dualdag.report import bytes_text, print_table, seconds_text, when_text

if TYPE_CHECKING:
    from dualdag.store import Run

__all__ = ["of_one_node", "of_one_run", "of_runs"]

_MOST_NODES = 200


def of_runs(rows: Sequence[Run]) -> Answer:
    """Return a row per run, newest first."""
    return Answer([_document(row) for row in rows], lambda: _show_runs(rows))


def _document(row: Run) -> dict[str, Any]:
    return plain(row) | {"seconds": _seconds(row), "state": _state(row)}


def _show_runs(rows: Sequence[Run]) -> None:
    if not rows:
        print("no runs yet: dualdag run FLOW makes one")
        return
    cells = [
        [row.id, when_text(row.started)[5:-3], seconds_text(_seconds(row)), _state(row), *_counts(row.did),
         _cut(str(row.info.get("backend", "")), 12), _what(row.info)]
        for row in rows
    ]  # fmt: skip
    head = ["run", "began", "took", "status", "run", "reused", "failed", "bytes", "on", "flow"]
    print_table(head, cells, right=[2, 4, 5, 6, 7])
    for row in rows:
        if row.did.get("error"):
            print(f"{row.id}: {_cut(str(row.did['error']), 98 - len(row.id))}")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _counts(did: Mapping[str, Any]) -> list[str]:
    if "run" not in did:
        return ["", "", "", ""]
    reused = did.get("reused", 0) + did.get("pinned", 0)
    return [str(did["run"]), str(reused), str(did.get("failed", 0)), bytes_text(did.get("nbytes", 0))]


def _what(info: Mapping[str, Any]) -> str:
    return _cut(os.path.basename(str(info.get("flow") or info.get("program") or "")), 20)  # noqa: PTH119 - may be a module


def _seconds(row: Run) -> float | None:
    return (row.ended - row.started).total_seconds() if row.ended else None


def _state(row: Run) -> str:
    """Return how a run ended; of one without an end, whether its process is still there, where that can be seen."""
    if row.status != "unfinished" or row.info.get("host") != socket.gethostname():
        return row.status
    pid = row.info.get("pid")
    return "running" if isinstance(pid, int) and _is_alive(pid) else "killed"


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # there, asking with signal 0 ends the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def of_one_run(row: Run, events: Sequence[Mapping[str, Any]]) -> Answer:
    """Return what one run did: a row per node, and every event."""
    nodes = _nodes(events, _state(row))
    document = _document(row) | {"nodes": nodes, "events": list(events)}
    return Answer(document, lambda: _show_one_run(row, nodes))


def _nodes(events: Sequence[Mapping[str, Any]], state: str) -> list[dict[str, Any]]:
    """Return what became of each node that a journal tells of, in the order in which they began."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        key = str(event.get("key") or event.get("label", ""))
        if not key:
            continue
        node = found.setdefault(key, {"key": key, "label": event.get("label", ""), "action": "", "seconds": None,
                                      "nbytes": None, "version": None, "retries": 0, "message": ""})  # fmt: skip
        _take(node, event)
    unfinished = "runs" if state == "running" else "not finished"
    for node in found.values():
        node["action"] = node["action"] or unfinished
    return list(found.values())


def _take(node: dict[str, Any], event: Mapping[str, Any]) -> None:
    kind, message = event.get("kind"), " ".join(str(event.get("message", "")).split())
    if kind in _ACTIONS:
        node["action"] = _ACTIONS[kind]
        node["seconds"] = event.get("seconds") or node["seconds"]
        node["nbytes"] = event.get("nbytes") or node["nbytes"]
        node["message"] = message
    elif kind == "waiting":
        node["action"], node["message"] = "waits", message
    elif kind == "retry":
        node["retries"] += 1
        node["message"] = message
    elif kind == "version":
        node["version"] = message.removeprefix("version ")
        node["action"] = node["action"] or "reuse"
        node["nbytes"] = event.get("nbytes") or node["nbytes"]
    elif kind in ("confirmed", "warning"):
        node["action"] = node["action"] or ("reuse" if kind == "confirmed" else "")
        node["message"] = message


_ACTIONS = {"done": "run", "reuse": "reuse", "failed": "failed"}


def _show_one_run(row: Run, nodes: Sequence[Mapping[str, Any]]) -> None:
    took = f", took {seconds_text(_seconds(row))}" if row.ended else ""
    print(f"run {row.id}, began {when_text(row.started)}{took}, {_state(row)}")
    for title, text in _asked(row.info).items():
        print(_cut(f"  {title:<10} {text}", 100))
    if len(nodes) > _MOST_NODES:
        print(f"the last {_MOST_NODES} of {len(nodes)} nodes; --json lists them all")
    cells = [
        [_cut(node["label"], 40), node["action"], seconds_text(node["seconds"]), bytes_text(node["nbytes"]),
         node["version"] or "", _message(node)]
        for node in nodes[-_MOST_NODES:]
    ]  # fmt: skip
    if cells:
        print_table(["node", "what", "seconds", "bytes", "version", ""], cells, right=[2, 3, 4])
    print(_summary(row, nodes))


def _message(node: Mapping[str, Any]) -> str:
    retries = f"{node['retries']} {'retry' if node['retries'] == 1 else 'retries'}" if node["retries"] else ""
    return _cut("; ".join(part for part in (retries, node["message"]) if part), 60)


def _asked(info: Mapping[str, Any]) -> dict[str, str]:
    params = ", ".join(f"{name}={text}" for name, text in dict(info.get("params") or {}).items())
    found = {
        "flow": str(info.get("flow") or ""),
        "program": str(info.get("program") or ""),
        "artifacts": ", ".join(info.get("artifacts") or ()),
        "parameters": params,
        "backend": str(info.get("backend") or ""),
        "process": f"{info['pid']} on {info['host']}" if "pid" in info and "host" in info else "",
    }
    return {title: text for title, text in found.items() if text}


def _summary(row: Run, nodes: Sequence[Mapping[str, Any]]) -> str:
    did = row.did
    if "run" not in did:
        count = sum(node["action"] == "run" for node in nodes)
        return f"{count} run" if nodes else "nothing had to be done" if row.ended else "nothing was done yet"
    told = [f"{did[name]} {name}" for name in ("run", "reused", "pinned", "failed") if did.get(name)]
    if did.get("versions"):
        told.append(f"{did['versions']} new {'version' if did['versions'] == 1 else 'versions'}")
    if did.get("nbytes"):
        told.append(f"{bytes_text(did['nbytes'])} written")
    return ", ".join(told) or "nothing had to be done"


def of_one_node(row: Run, events: Sequence[Mapping[str, Any]], node: str) -> Answer:
    """Return what a node of a run did and printed; it is named by name or by a beginning of its key."""
    names = {str(event.get("label", "")) for event in events} - {""}
    told = [e for e in events if e.get("label") == node or (len(node) > 3 and str(e.get("key", "")).startswith(node))]
    if not told:
        raise ArtifactNotFoundError(f"run {row.id} tells of no node {node!r}.{did_you_mean(node, names)}")
    return Answer(plain(row) | {"events": told}, lambda: _show_one_node(told))


def _show_one_node(events: Sequence[Mapping[str, Any]]) -> None:
    for event in events:
        if event["kind"] == "output":
            print(event["message"].rstrip("\n"))
        elif event["kind"] != "start":
            took = seconds_text(event.get("seconds") or None)
            words = (event.get("label", ""), event["kind"], took, event.get("message", ""))
            print("-- " + " ".join(word for word in words if word))
