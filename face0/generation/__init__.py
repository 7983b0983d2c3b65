"""Manifest, requests, plan, renderer, metrics, results."""
