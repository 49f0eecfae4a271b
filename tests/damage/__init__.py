"""Directories damaged in every way that can be listed: each is refused in one line, or computes what it did."""
