"""The speech detector: its training scenes, its network, and the export of its ONNX file.

``python -m speech_detector --data DIR -o speech.onnx`` trains it again on EmoDB.
"""
