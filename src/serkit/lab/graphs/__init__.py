"""ONNX graphs made from parts."""
