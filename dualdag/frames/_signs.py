"""Operators by pandas's names for them, and the signs that steps are named by."""

from __future__ import annotations

__all__ = ["ARITHMETIC", "BINARY", "COMPARED"]

ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**"}
#: Operators that have a reflected form.
BINARY = {**ARITHMETIC, "matmul": "@", "and": "&", "or": "|", "xor": "^"}
COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
