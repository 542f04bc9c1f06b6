"""ONNX graphs: operations on them, and model files assembled from several."""
