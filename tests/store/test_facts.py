"""Facts that were taken away by hand: what they replaced must not come back."""

from __future__ import annotations

import os

import pytest

from dualdag.store import open_store
from dualdag.testing._store_suite_base import a_record


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("facts", [1, 2])
def test_the_newest_fact_of_an_action_is_taken_away(tmp_path, facts, warm):
    store = open_store(str(tmp_path))
    first, alias = a_record("x", "first"), b"alias".ljust(20)
    store.put_records([first], [(alias, first)])
    for k in range(facts):
        store.supersede(a_record("x", f"later {k}"))
    if warm:
        assert len(store.superseded()) == 3
    store.close()
    if not warm:
        for name in os.listdir(tmp_path / "cache"):
            (tmp_path / "cache" / name).unlink()
    (tmp_path / "facts" / f"{first.action.hex()}-{facts:06d}").unlink()
    again = open_store(str(tmp_path))
    keys = [first.trace, first.action, alias]
    with pytest.warns(UserWarning, match=r"is gone.*made again"):
        assert again.records(keys) == {}
    assert set(again.superseded()) == set(keys)
    made = a_record("x", "made again")
    with pytest.warns(UserWarning, match=r"is gone"):
        new = open_store(str(tmp_path))
        assert new.put_records([made]) == [made]
    assert f"{first.action.hex()}-{facts + 1:06d}" in new._fs.names("facts")
    last = open_store(str(tmp_path))
    assert last.records(keys) == dict.fromkeys(keys, made)
