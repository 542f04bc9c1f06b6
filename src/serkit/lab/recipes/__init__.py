"""Recipes: the schema of an experiment, its defaults, its files, and the registry of models. No torch."""
