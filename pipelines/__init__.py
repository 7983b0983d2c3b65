"""Beam transforms: they wire, they do not compute. All Beam lives here."""
