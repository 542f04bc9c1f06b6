"""Pretrained audio encoders of transformers: where their weights are, and how they hear a waveform."""
