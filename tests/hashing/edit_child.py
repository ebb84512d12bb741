"""Fingerprints one version of every edit, as a fresh process: prints a JSON object of hex digests."""

from __future__ import annotations

import importlib
import json
import os
import sys
import types
from pathlib import Path


def load(folder: Path, how: str, env: dict[str, str]):
    kind, _, name = how.partition(":")
    os.environ.update(env)
    path = folder / (name.replace(".", "/") + ".py")
    if kind == "module":
        return vars(importlib.import_module(name))
    names = {}
    if kind == "main":
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        names = vars(module)
        names["__file__"] = str(path)
    elif kind == "cell":
        names["__name__"] = "__main__"
    exec(compile(path.read_text(), "<cell 1>" if kind == "cell" else str(path), "exec"), names)
    return names


def main(listing: str, version: str) -> None:
    from dualdag.errors import FingerprintError
    from dualdag.hashing import fingerprint

    table = json.loads(Path(listing).read_text())
    sys.path.append(str(Path(listing).parent))
    found = {}
    for name, one in table.items():
        folder = Path(one["folder"])
        known = set(sys.modules)
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        try:
            found[name] = fingerprint(load(folder, one["load"], one["env"])["task"]).digest.hex()
        except FingerprintError as error:
            found[name] = f"FingerprintError: {error}"
        except ModuleNotFoundError as error:  # an interpreter without data libraries
            found[name] = str(error)
        finally:
            sys.path.remove(str(folder))
            for other in set(sys.modules) - known:
                if str(getattr(sys.modules[other], "__file__", "")).startswith(str(folder)):
                    del sys.modules[other]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
