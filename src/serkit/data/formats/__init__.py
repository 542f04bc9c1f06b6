"""Reads and writes labeled speech in the layouts of other tools and of users."""
