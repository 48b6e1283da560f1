"""Data sets: reading clips, what configs say of them, and making their annotation files."""
