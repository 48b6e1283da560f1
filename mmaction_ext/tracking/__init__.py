"""Runs: who they are, the record that they write, and how it is read."""
