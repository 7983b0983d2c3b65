"""Command lines: parse, call, exit code."""
