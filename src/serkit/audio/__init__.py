"""Audio in: files, arrays and microphones to float32 mono at the rate that a model wants."""
