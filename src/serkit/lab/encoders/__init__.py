"""Pretrained audio encoders of transformers: their checkpoints, and the way from a waveform to hidden states."""
