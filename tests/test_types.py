"""A type checker knows what tasks, nodes and runs give, and what options there are."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.timeout(300)
def test_ordinary_use_is_typed():
    mypy = pytest.importorskip("mypy.api")
    here = Path(__file__).resolve().parent
    options = ["--strict", "--follow-imports=silent", f"--cache-dir={here.parent / '.mypy_cache' / 'use'}"]
    said, _, status = mypy.run([*options, "--config-file=", str(here / "typed_use.py")])
    assert status == 0, said
