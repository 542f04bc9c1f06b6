import numpy as np
import pytest
import torch

from serkit.errors import InferenceError
from serkit.out_of_memory import is_out_of_memory

MESSAGES = (
    "CUDA out of memory. Tried to allocate 20.00 MiB.",
    "[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes.",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "bad allocation",
)


@pytest.mark.parametrize("message", MESSAGES)
def test_the_messages_of_allocators_are_known(message: str) -> None:
    assert is_out_of_memory(RuntimeError(message))


def test_the_classes_of_torch_python_and_numpy_are_known() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(MemoryError())
    with pytest.raises(MemoryError) as caught:
        np.empty(10**17)
    assert is_out_of_memory(caught.value)


def test_a_large_tensor_on_the_cpu_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**17)
    assert is_out_of_memory(caught.value)


def test_other_errors_are_not() -> None:
    assert not is_out_of_memory(RuntimeError("shapes differ"))
    assert not is_out_of_memory(ValueError("out of memory"))
    assert is_out_of_memory(InferenceError("the model failed: std::bad_alloc"))
