"""Times ServerlessLLM's store in this process, without its server. Needs the package as
built by build.sh with stand-in.

    time_store.py STORAGE POOL_BYTES MODEL...

Loads each MODEL in STORAGE once from storage, then the last one equally often from the
pool, and prints a CSV line for each load: random or cached, its number in this process
from 0, and seconds. One load is what the client does in load_dict: the request for host
memory, the index, the copy list, the request for the device, and the wait. It excludes
gRPC, which costs this store more than it costs sllmq's pool, and allocation, because the
memory exists already. Before a load from storage, its pages are dropped from the page
cache and the previous model from the pool; afterwards every tensor is compared with its
file.
"""

import ctypes
import json
import mmap
import os
import sys
import time
import uuid

import torch  # noqa: F401  loads libraries that sllm_store needs
from sllm_store._C import allocate_cuda_memory, get_cuda_memory_handles, get_device_uuid_map
from sllm_store._checkpoint_store import CheckpointStore, MemCopyChunk

STORAGE, POOL, MODELS = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
THREADS, CHUNK = 4, 16 << 20  # as in ServerlessLLM's benchmark


def files(model):
    i = 0
    while os.path.exists(path := os.path.join(STORAGE, model, f"tensor.data_{i}")):
        yield path
        i += 1


def drop(model):
    for path in files(model):
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def copy_list(model):
    with open(os.path.join(STORAGE, model, "tensor_index.json")) as f:
        index = json.load(f)
    chunks, seen, total = [], set(), 0
    for offset, size, *_ in index.values():
        if (offset, size) not in seen:
            seen.add((offset, size))
            chunk = MemCopyChunk()
            chunk.src_offset, chunk.size, chunk.dst_offset, chunk.handle_idx = offset, size, total, 0
            chunks.append(chunk)
            total += size
    return chunks, total


def address(capsule):
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return pointer(capsule, None)


def held(model, chunks, memory):
    """Compares memory with the model's file, of which there must be one, and clears it."""
    (path,) = files(model)
    compare = ctypes.CDLL(None).memcmp
    compare.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    with open(path, "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        view = (ctypes.c_char * len(m)).from_buffer(m)
        base = ctypes.addressof(view)
        for c in chunks:
            if compare(memory + c.dst_offset, base + c.src_offset, c.size):
                sys.exit(f"{model}: bytes differ at {c.src_offset}, although the store reported it loaded")
        del view
    ctypes.memset(memory, 0xFF, sum(c.size for c in chunks))


def main():
    total = max(copy_list(m)[1] for m in MODELS)
    device = get_device_uuid_map()[0]
    memory = allocate_cuda_memory({0: total})
    handle = get_cuda_memory_handles(memory)[0]
    store = CheckpointStore(STORAGE, POOL // CHUNK * CHUNK, THREADS, CHUNK)

    def load(model):
        replica = str(uuid.uuid4())
        begun = time.monotonic()
        if store.register_model_info(model) < 0 or store.load_model_from_disk_async(model):
            sys.exit(f"{model}: refused by the store")
        chunks, _ = copy_list(model)
        if store.load_model_from_mem_async(model, replica, {device: [handle]}, {device: chunks}):
            sys.exit(f"{model}: refused by the store")
        if store.wait_model_in_gpu(model, replica):
            sys.exit(f"{model}: the store failed to load it")
        return time.monotonic() - begun, chunks

    for i, model in enumerate(MODELS):
        if i:
            store.unload_model_from_host(MODELS[i - 1])
        drop(model)
        seconds, chunks = load(model)
        print(f"random,{i},{seconds:.6f}", flush=True)
        held(model, chunks, address(memory[0]))
    for i in range(len(MODELS)):
        seconds, chunks = load(MODELS[-1])
        print(f"cached,{i},{seconds:.6f}", flush=True)
    held(MODELS[-1], chunks, address(memory[0]))
    os._exit(0)  # the store's destructor waits for its own threads


main()
