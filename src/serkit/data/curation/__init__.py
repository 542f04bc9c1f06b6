"""Downloads, checks, measures and draws corpora."""
