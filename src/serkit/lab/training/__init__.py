"""Training: features in a store, one fit per fold, checkpoints that resume, several workers."""
