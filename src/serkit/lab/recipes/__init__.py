"""Recipes: their schema and defaults, their files, their ablations, and the registry of models. No torch."""
