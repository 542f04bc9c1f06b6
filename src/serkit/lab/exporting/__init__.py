"""Trained runs as model files, cards, and transformers folders."""
