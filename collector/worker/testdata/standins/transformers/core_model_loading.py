"""Where transformers 5 brings a tensor to its device."""


def _materialize_copy(tensor, device=None, dtype=None):
    return tensor
