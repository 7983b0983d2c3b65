"""Bootstrap, permutation, design, distances, probes: NumPy only, knows nothing of faces."""
