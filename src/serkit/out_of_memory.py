"""Tells apart the errors of torch, ONNX Runtime, NumPy and Python that mean that memory has run out."""

_WORDS = (
    "out of memory", "can't allocate memory", "bad_alloc", "bad allocation", "failed to allocate memory",
    "cublas_status_alloc_failed", "cudnn_status_alloc_failed",
)  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory has run out, that of the machine or of its accelerator.

    Example:
        >>> is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."))
        True
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _WORDS)
