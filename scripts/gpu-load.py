"""Times loading a safetensors file that is in memory with Python packages: safetensors'
load_file to the GPU, and copying its tensors one by one.

    python3 scripts/gpu-load.py FILE
"""

import sys
import time

import safetensors.torch
import torch


def timed(name, load):
    load()
    times = []
    for _ in range(5):
        torch.cuda.empty_cache()
        torch.cuda.synchronize()
        begun = time.perf_counter()
        tensors = load()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
        size = sum(t.numel() * t.element_size() for t in tensors.values())
        del tensors
    times.sort()
    print(f"{name:40} median {times[2]:.4f} s, {size / times[2] / 1e9:.2f} GB/s, best {times[0]:.4f} s")


def one_by_one(path):
    with safetensors.safe_open(path, framework="pt", device="cpu") as f:
        return {name: f.get_tensor(name).to("cuda:0") for name in f.keys()}


def main():
    path = sys.argv[1]
    torch.zeros(1, device="cuda:0")
    timed("load_file, device=cuda:0", lambda: safetensors.torch.load_file(path, device="cuda:0"))
    timed("safe_open on the CPU, then .to(cuda:0)", lambda: one_by_one(path))
    big = torch.empty(2 << 30, dtype=torch.uint8, pin_memory=True)
    timed("page-locked copy", lambda: {"b": big.to("cuda:0", non_blocking=True)})


if __name__ == "__main__":
    main()
