"""serkit recognises emotions in speech, and makes and compares the models that do."""

__version__ = "0.1.0"
