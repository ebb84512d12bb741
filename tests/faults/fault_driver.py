"""A driver process: runs what each line of its standard input asks for, and says in JSON what came of it."""

from __future__ import annotations

import json
import os
import sys

import fault_work

import dualdag as dag


def main(engine: str) -> None:
    dag.configure(backend=engine, workers=2, progress="off", backend_options=options(engine))
    say({"ready": True})
    for line in sys.stdin:
        wish = json.loads(line)
        if wish == "end":
            break
        try:
            say(run(**wish))
        except KeyboardInterrupt:
            say({"interrupted": True})
            raise SystemExit(130) from None
    dag.shutdown()


def options(engine: str) -> dict[str, object]:
    if engine != "ray" or "RAY_ADDRESS" in os.environ:
        return {}
    return {"object_store_memory": 200_000_000, "_temp_dir": os.environ["FAULT_FOLDER"]}


def run(store: str, what: str = "graph", options: dict[str, object] | None = None, **given) -> dict[str, object]:
    nodes = getattr(fault_work, what)(**given)
    try:
        return {"value": dag.run(nodes, store=store, **(options or {}))}
    except ExceptionGroup as group:
        return {"errors": [f"{type(error).__name__}: {error}" for error in group.exceptions]}
    except Exception as error:  # noqa: BLE001 - any is told of
        return {"errors": [f"{type(error).__name__}: {error}"]}


def say(what: dict[str, object]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
