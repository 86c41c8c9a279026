"""Benchmarks: what Stillwatch costs, beside its peers."""
