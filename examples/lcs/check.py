"""Compare what the flow kept with a plain loop over the whole table: ``python examples/lcs/check.py``."""

from __future__ import annotations

import sys

import numpy as np
from blocks import letters, plain

import dualdag as dag

length = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
expected = plain(letters(1, length), letters(2, length))
if not np.array_equal(dag.load("lcs_last_row"), expected) or dag.load("lcs_length") != expected[-1]:
    raise SystemExit("the wavefront and the plain loop disagree")
print(f"equal: {expected[-1]} of {length} letters in common")
