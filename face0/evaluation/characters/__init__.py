"""Whether a character stays the same person from scene to scene."""
