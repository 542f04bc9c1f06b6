"""The speech detector: what it is trained on, its network, and how its file is made.

``python -m speech_detector --data DIR -o speech.onnx`` makes it again from EmoDB.
"""
