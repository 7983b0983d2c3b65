"""Measures of generated images: the paper's tables, audits, characters."""
