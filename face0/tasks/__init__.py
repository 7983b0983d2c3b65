"""The unit of work: tasks, output folder, commit, ledger, progress."""
