"""Embedders: from a face to the vector that conditions the model, and what made a vector."""
