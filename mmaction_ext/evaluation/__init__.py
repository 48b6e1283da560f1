"""Metrics, and the predictions that they are computed from."""
