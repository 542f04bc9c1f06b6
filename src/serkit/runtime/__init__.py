"""What a user of a model needs: no torch, no corpora, nothing of the lab."""
