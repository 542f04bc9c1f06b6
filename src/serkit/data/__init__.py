"""Labeled speech on disk: manifests, tables, corpora, other tools' formats, and checks."""
