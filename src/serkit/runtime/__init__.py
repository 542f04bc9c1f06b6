"""Recognition with a model file: no torch, no corpora, nothing from the lab."""
