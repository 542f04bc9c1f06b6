"""Helpers that several tests share: synthetic corpora, run folders, clients and servers."""
