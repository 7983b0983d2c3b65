"""Everything is said in pyproject.toml; Beam's --setup_file wants this file."""

from setuptools import setup

setup()
