"""A stand-in for ServerlessLLM's client: what its server would bring is read
here."""

import json
import mmap
import pathlib
import socket

import torch
from transformers import Model


class SllmStoreClient:
    """Only sees whether there is a server."""

    def __init__(self, server_address="127.0.0.1:8073"):
        host, _, port = server_address.partition(":")
        socket.create_connection((host, int(port)), timeout=10).close()


def load_model(path, device_map, torch_dtype, storage_path):
    assert device_map == {"": 0} and not pathlib.Path(path).is_absolute()
    SllmStoreClient("127.0.0.1:8073")
    folder = pathlib.Path(storage_path, path)
    with (folder / "tensor.data_0").open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    tensors = {}
    for name, (offset, size, shape, _, kind) in json.loads((folder / "tensor_index.json").read_text()).items():
        assert getattr(torch, kind.removeprefix("torch.")) is torch_dtype
        tensors[name] = torch.Tensor(data[offset : offset + size], torch_dtype, shape).clone()
        torch.cuda.taken += size
    torch.cuda.most = torch.cuda.taken
    return Model(tensors)
