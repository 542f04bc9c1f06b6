"""Protocols and folds, and the guard that refuses leaks. No torch."""
