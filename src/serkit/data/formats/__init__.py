"""The layouts in which other tools keep labeled speech, read and written."""
