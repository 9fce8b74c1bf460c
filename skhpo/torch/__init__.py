"""For nets of PyTorch: batches of tensors without a loader in between, and many nets trained as one."""

from skhpo._devices import Devices
from skhpo.torch._iterator import TensorIterator
from skhpo.torch._iterator import send_tensors as send_tensors
from skhpo.torch._iterator import use_tensors as use_tensors
from skhpo.torch._together import Member, group, outputs_together, train_together
from skhpo.torch._together_errors import CannotTogether
from skhpo.torch._together_rules import reason_against

__all__ = [
    "CannotTogether",
    "Devices",
    "Member",
    "TensorIterator",
    "group",
    "outputs_together",
    "reason_against",
    "train_together",
]
