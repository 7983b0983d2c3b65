"""Measurements that anyone can repeat; their results are in RESULTS.md."""
