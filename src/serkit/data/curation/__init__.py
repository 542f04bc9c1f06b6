"""Corpora as they lie on disk: checked, described, downloaded. No torch."""
