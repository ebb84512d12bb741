"""Backends that need no engine: one thread, threads, processes."""
