"""Labeled speech on disk: manifests, tables, corpora, formats of other tools, and checks of corpora."""
