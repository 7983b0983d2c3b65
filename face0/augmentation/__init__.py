"""The worker of face0 augment."""
