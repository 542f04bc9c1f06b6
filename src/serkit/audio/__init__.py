"""Audio input: files, arrays and microphones become float32 mono at a model's sampling rate."""
