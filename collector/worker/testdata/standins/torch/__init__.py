"""A stand-in for torch, as far as sllmq's Python worker calls it: tensors are
typed views of real memory, so that what is copied and compared is real.

STANDIN_CUDA=1 gives it a GPU whose memory is RAM.
"""

import contextlib
import ctypes
import math
import os

__version__ = "2.0.0+standin"


class dtype:
    def __init__(self, name, itemsize):
        self.name, self.itemsize = name, itemsize
        self.is_floating_point = "float" in name


uint8, float16, bfloat16, float32 = dtype("uint8", 1), dtype("float16", 2), dtype("bfloat16", 2), dtype("float32", 4)


class device:
    def __init__(self, name, index=None):
        self.type, self.index = name, index

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


class Tensor:
    def __init__(self, memory, kind, shape):
        self.memory, self.dtype, self.shape = memory, kind, tuple(shape)

    @property
    def data(self):
        return self

    @data.setter
    def data(self, other):
        self.memory, self.dtype, self.shape = other.memory, other.dtype, other.shape

    @property
    def nbytes(self):
        return len(self.memory)

    def data_ptr(self):
        return ctypes.addressof(ctypes.c_char.from_buffer(self.memory)) if len(self.memory) else 0

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, part):
        return Tensor(self.memory[part], self.dtype, (len(self.memory[part]) // self.dtype.itemsize,))

    def view(self, to):
        if isinstance(to, dtype):
            return Tensor(self.memory, to, (len(self.memory) // to.itemsize,))
        assert math.prod(to) * self.dtype.itemsize == len(self.memory)
        return Tensor(self.memory, self.dtype, to)

    def reshape(self, _):
        return Tensor(self.memory, self.dtype, (len(self.memory) // self.dtype.itemsize,))

    def as_strided(self, shape, _):
        return self.view(shape)

    def copy_(self, other):
        assert self.shape == other.shape and self.dtype is other.dtype
        self.memory[:] = other.memory

    def zero_(self):
        self.memory[:] = bytes(len(self.memory))

    def clone(self):
        return Tensor(memoryview(bytearray(self.memory)), self.dtype, self.shape)

    def to(self, kind):
        assert kind is self.dtype, "the stand-in converts nothing"
        return self

    def detach(self):
        return self

    cpu = contiguous = detach


def frombuffer(buffer, dtype):
    memory = memoryview(buffer).cast("B")
    return Tensor(memory, dtype, (len(memory) // dtype.itemsize,))


def zeros(size, device):
    cuda.taken += size
    return None


def equal(a, b):
    return a.shape == b.shape and a.memory == b.memory


@contextlib.contextmanager
def no_grad():
    yield


inference_mode = no_grad
threads = 1


def set_num_threads(n):
    global threads
    threads = n


def get_num_threads():
    return threads


def manual_seed(seed):
    assert isinstance(seed, int)


class cuda:
    taken = 0
    most = 0

    @staticmethod
    def is_available():
        return os.environ.get("STANDIN_CUDA") == "1"

    @staticmethod
    def device_count():
        return 1

    @staticmethod
    def synchronize(place):
        assert place.type == "cuda"

    @classmethod
    def mem_get_info(cls, place):
        return (1 << 30) - cls.taken, 1 << 30

    @classmethod
    def max_memory_allocated(cls, place):
        return cls.most

    @classmethod
    def reset_peak_memory_stats(cls, place):
        cls.most = cls.taken

    @classmethod
    def empty_cache(cls):
        cls.taken = 0
