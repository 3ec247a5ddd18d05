"""Host memory that clients of sllmq's store use instead of a GPU's."""

import fcntl
import mmap
import os

F_ADD_SEALS, SEALS = 1033, 1 | 2 | 4  # SEAL, SHRINK, GROW


class Memory:
    """Memory of this process, and the handle with which the server opens it."""

    def __init__(self, size):
        nonce = os.urandom(16)
        self.fd = os.memfd_create("sllmq-" + nonce.hex(), os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, size)
        fcntl.fcntl(self.fd, F_ADD_SEALS, SEALS)
        self.bytes = mmap.mmap(self.fd, size)
        head = b"sllmqmem" + os.getpid().to_bytes(4, "little") + self.fd.to_bytes(4, "little") + nonce
        self.handle = head.ljust(64, b"\0")


def whole(storage, model):
    """The bytes of a model in the SLLM format: its partitions, concatenated."""
    data, i = b"", 0
    while os.path.exists(path := os.path.join(storage, model, f"tensor.data_{i}")):
        with open(path, "rb") as f:
            data += f.read()
        i += 1
    return data
