"""Inputs of captioned images: which reader reads what, how inputs are cut into tasks, how images are fetched."""
