"""Making and comparing models: needs ``pip install 'serkit[lab]'``."""
