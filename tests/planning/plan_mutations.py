"""Definitions taken out of the planner one at a time: the laws must notice each."""

from __future__ import annotations

import hashlib

from dualdag.planning import _demand, _lookup, _pins, _planner, _region, _traces
from dualdag.planning._demand import DIGEST, PERHAPS, REUSE, RUN, VALUE, Why
from tests.planning import plan_runner
from tests.planning.memory_store import MemoryStore


class _Equal:
    """Equal to whatever it is compared with."""

    __hash__ = None

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


def _ignore_superseding(patch):
    patch.setattr(_traces, "effective_key", lambda trace, superseded: trace)
    patch.setattr(plan_runner, "effective_key", lambda trace, superseded: trace)


def _pin_by_number(patch):
    patch.setattr(_pins, "pin_key", lambda version, confirmed: hashlib.sha1(b"%d" % version.number).digest())


def _pin_by_version_only(patch):
    patch.setattr(_pins, "pin_key", lambda version, confirmed: version.trace)


def _no_early_cutoff(patch):
    patch.setattr(_lookup._Looker, "down", lambda self: None)


def _artifacts_are_no_targets(patch):
    patch.setattr(
        _planner,
        "roots_of",
        lambda graph, region, forced: [
            i for i in sorted({*graph.targets, *forced}) if i not in region.pins and graph.nodes[i].op.kind == "call"
        ],
    )


def _lost_pins_stay(patch):
    patch.setattr(_pins.Pins, "drop_lost", lambda self, pins: False)


def _ignore_confirmations(patch):
    whole = _pins.is_due
    patch.setattr(
        _pins, "is_due", lambda cadence, *, last, confirmed, now: whole(cadence, last=last, confirmed=None, now=now)
    )


def _ignore_own_part_of_confirmations(patch):
    patch.setattr(_pins, "_own_part_of", lambda version, confirmed: version.own_part)


def _ignore_own_part(patch):
    patch.setattr(_pins, "_own_part_of", lambda version, confirmed: _Equal())


def _own_part_is_the_key(patch):
    def keys(graph):
        return {i: graph.nodes[i]._key for i, extra in graph.extras.items() if extra.artifacts}

    patch.setattr(_region, "own_parts", keys)


def _value_is_never_missing(patch):
    patch.setattr(_demand, "_recorded", lambda i, want, known: (REUSE, Why.FOUND))


def _pass_on(run, check, ordered):
    def pass_on(graph, i, action, reason, need):
        inputs = graph.inputs[i]
        count = len(inputs) - graph.extra(i).after
        perhaps = reason == Why.PERHAPS
        for j in inputs[:count]:
            need[j] |= run if action == RUN else PERHAPS if perhaps else check
        for j in inputs[count:]:
            need[j] |= PERHAPS if perhaps else ordered

    return pass_on


def _a_run_wants_no_values(patch):
    patch.setattr(_demand, "_pass_on", _pass_on(DIGEST, PERHAPS | DIGEST, DIGEST))


def _a_check_wants_no_values(patch):
    patch.setattr(_demand, "_pass_on", _pass_on(VALUE, DIGEST, DIGEST))


def _order_wants_values(patch):
    patch.setattr(_demand, "_pass_on", _pass_on(VALUE, PERHAPS | DIGEST, VALUE))


def _below_refresh_is_known(patch):
    whole = _planner.trace_keys
    patch.setattr(
        _planner,
        "trace_keys",
        lambda graph, reached, given, hidden, late: whole(graph, reached, given, frozenset(), late),
    )


def _refresh_stops_at_pins(patch):
    patch.setattr(_pins, "forced_above", lambda graph, forced, held: None)


def _unstable_is_not_expected(patch):
    whole = _planner.decide
    patch.setattr(_planner, "decide", lambda *args, unstable, **named: whole(*args, unstable=lambda i: False, **named))


def _digest_needs_an_object(patch):
    whole = _planner.look_up

    def look_up(*args, **named):
        known = whole(*args, **named)
        for i in [i for i in known.records if not known.present[i]]:
            del known.records[i]
            known.sure[i] = 0
        return known

    patch.setattr(_planner, "look_up", look_up)


def _nothing_is_new(patch):
    patch.setattr(MemoryStore, "durations", lambda self, owns: dict.fromkeys(owns, 0.0))


def _late_names_wait(patch):
    patch.setattr(_planner, "_late_names", lambda *args: {})


MUTATIONS = {
    name.strip("_"): change
    for name, change in list(globals().items())
    if name.startswith("_") and getattr(change, "__code__", None) and change.__code__.co_varnames[:1] == ("patch",)
}

__all__ = ["MUTATIONS"]
