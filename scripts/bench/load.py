"""Times loading a folder's safetensors files with the real packages.

    load.py FOLDER

Prints one line with the versions. Then, for each technique named on a line of standard
input, loads once and prints the seconds it took. Every byte is copied to memory that
exists already, like sllmq's host device, because a load to PyTorch's CPU leaves the bytes
in the file's mapping and reads none. PyTorch's copy_ copies, or the C library if the word
memmove follows the technique.

mmap           as transformers 4: file by file, safe_open, keys, get_tensor
mmap-parallel  as transformers 5: all files open, get_slice, the order of its own key, a
               pool of min(4, CPUs) threads
pinned         as safetensors 0.8 for CUDA, in the same steps (its own code requires a
               GPU): the C library copies into a staging buffer per size class, which is
               kept, as in PyTorch's allocator of page-locked memory
"""

import concurrent.futures
import ctypes
import mmap
import os
import pathlib
import sys
import time

import safetensors
import torch
import transformers
from safetensors import safe_open
from transformers.core_model_loading import dot_natural_key

folder = pathlib.Path(sys.argv[1])
paths = sorted(folder.glob("*.safetensors"))
torch.set_num_threads(1)  # a copy to a device uses one thread


def memory(size: int) -> torch.Tensor:
    """Touched memory in huge pages, as sllmq uses for devices and buffers."""
    # private, because Linux backs shared memory with small pages
    region = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    region.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(region, dtype=torch.uint8).zero_()


device = memory(sum(p.stat().st_size for p in paths))
buffers: dict[int, torch.Tensor] = {}


def by_torch(begin: int, source: torch.Tensor) -> None:
    device[begin : begin + len(source)].copy_(source)


def by_memmove(begin: int, source: torch.Tensor) -> None:
    ctypes.memmove(device.data_ptr() + begin, source.data_ptr(), len(source))


copy = by_torch


def flat(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(-1).view(torch.uint8)


def load_mmap() -> None:
    at = 0
    for path in paths:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                source = flat(file.get_tensor(name))
                copy(at, source)
                at += len(source)
        del source  # also unmaps the file


def load_parallel() -> None:
    def bring(part, begin: int) -> None:
        source = flat(part[...])
        copy(begin, source)

    at = 0
    files, parts, futures = [], {}, []
    for path in paths:
        file = safe_open(path, framework="pt", device="cpu", backend="mmap")
        files.append(file)
        for name in file.keys():
            parts[name] = file.get_slice(name)
    with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 4)) as pool:
        for _, part in sorted(parts.items(), key=lambda item: dot_natural_key(item[0])):
            size = 1
            for n in part.get_shape():
                size *= n
            futures.append(pool.submit(bring, part, at))
            at += size * bytes_of(part.get_dtype())
        for future in futures:
            future.result()
    for file in files:
        file.__exit__(None, None, None)


def bytes_of(dtype: str) -> int:
    return int("".join(c for c in dtype if c.isdigit())[:2]) // 8 if dtype != "BOOL" else 1


def load_pinned() -> None:
    at = 0
    for path in paths:
        with safe_open(path, framework="pt") as file:
            for name in file.offset_keys():
                source = flat(file.get_tensor(name))
                size = len(source)
                bucket = max(size - 1, 0).bit_length()
                if bucket not in buffers:
                    buffers[bucket] = memory(1 << bucket)
                staging = buffers[bucket][:size]
                ctypes.memmove(staging.data_ptr(), source.data_ptr(), size)
                copy(at, staging)
                at += size
        del source


techniques = {"mmap": load_mmap, "mmap-parallel": load_parallel, "pinned": load_pinned}
print(f"safetensors {safetensors.__version__}, transformers {transformers.__version__}, torch {torch.__version__}", flush=True)
for line in sys.stdin:
    technique, _, way = line.strip().partition(" ")
    copy = by_memmove if way == "memmove" else by_torch
    begun = time.perf_counter()
    techniques[technique]()
    print(time.perf_counter() - begun, flush=True)
