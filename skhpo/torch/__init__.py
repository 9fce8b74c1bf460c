"""For nets of PyTorch: batches of tensors without a loader in between, and many nets trained as one."""

from skhpo.torch._iterator import TensorIterator
from skhpo.torch._iterator import use_tensors as use_tensors

__all__ = ["TensorIterator"]
