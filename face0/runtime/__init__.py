"""Devices, precision, threads, memory, random numbers, progress, versions."""
