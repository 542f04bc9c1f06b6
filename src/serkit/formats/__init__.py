"""The layouts in which other tools keep labelled speech, read and written."""
