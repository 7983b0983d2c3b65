"""Faces as vectors: banks, photographs, edits, face space, deny list."""
