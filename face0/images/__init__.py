"""Untrusted bytes to pixels, and training images."""
