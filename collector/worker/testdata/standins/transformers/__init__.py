"""A stand-in for transformers: loads the tensors of real safetensors files,
and says "blah" to everything. It insists on what the worker promises, and
misbehaves when STANDIN_TROUBLE, or a file of the model called trouble, tells
it to.
"""

import os
import pathlib
import signal
import sys
import time
import types

import torch
from safetensors import safe_open

__version__ = "5.0.0"

for name, value in {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_TOKEN": None, "HUGGING_FACE_HUB_TOKEN": None}.items():
    if os.environ.get(name) != value:
        raise RuntimeError(f"{name} is {os.environ.get(name)!r}, not {value!r}")

utils = types.SimpleNamespace(logging=types.SimpleNamespace(disable_progress_bar=lambda: None))


def trouble(folder):
    file = pathlib.Path(folder, "trouble")
    kind = file.read_text().strip() if file.exists() else os.environ.get("STANDIN_TROUBLE", "")
    if kind == "raises":
        raise RuntimeError("CUDA out of memory.\nTried to allocate 20.00 GiB.")
    if kind == "memory":
        raise MemoryError
    if kind == "dies":
        print("terminate called after throwing an instance", file=sys.stderr, flush=True)
        os._exit(7)
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hangs":
        time.sleep(3600)
    if kind == "talks":  # to standard output, as packages do
        print("loading, please wait", flush=True)
        os.write(1, b"25%\n")
    if kind == "garbage":  # where only replies belong
        for number in range(3, 9):
            try:
                os.write(number, b"loading, please wait\n")
            except OSError:
                pass


def strict(arguments):
    wanted = {"use_safetensors": True, "weights_only": True, "trust_remote_code": False, "local_files_only": True}
    for name, value in wanted.items():
        if arguments.pop(name, None) is not value:
            raise RuntimeError(f"{name} is not {value}")
    return arguments


def materialize(tensor):
    """Through the function of transformers 5, or as it was before there was one."""
    if os.environ.get("STANDIN_OLD") == "1":
        return tensor
    from . import core_model_loading

    return core_model_loading._materialize_copy(tensor, device=None, dtype=None)


class Model:
    base_model_prefix = "model"

    def __init__(self, tensors):
        self.tensors = tensors

    def parameters(self):
        return iter(self.tensors.values())

    def buffers(self):
        return iter(())

    def state_dict(self):
        return dict(self.tensors)

    def generate(self, input_ids, attention_mask, streamer, max_new_tokens, do_sample, **settings):
        assert do_sample == ("temperature" in settings)
        streamer.put(input_ids)
        for _ in range(max_new_tokens):
            streamer.put(7)
        streamer.end()
        return [Ids(input_ids.ids + [7] * max_new_tokens)]


class Ids:
    def __init__(self, ids):
        self.ids, self.shape = ids, (1, len(ids))

    def tolist(self):
        return self.ids


class Given(dict):
    def to(self, _):
        return self


class AutoConfig:
    @staticmethod
    def from_pretrained(folder, trust_remote_code, local_files_only):
        assert trust_remote_code is False and local_files_only is True
        return types.SimpleNamespace(folder=folder)


class AutoModelForCausalLM:
    @staticmethod
    def from_config(config, trust_remote_code):
        assert trust_remote_code is False

    @staticmethod
    def from_pretrained(folder, dtype, **arguments):
        arguments = strict(arguments)
        trouble(folder)
        tensors = {}
        for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                for name in file.keys():
                    tensors[name] = materialize(file.get_tensor(name))
                    assert tensors[name].dtype is dtype, "a conversion was asked for"
                    if "device_map" in arguments:
                        tensors[name] = tensors[name].clone()
                        torch.cuda.taken += tensors[name].nbytes
                        torch.cuda.most = torch.cuda.taken + 100
        if os.environ.get("STANDIN_TROUBLE") == "wrong":
            first = next(iter(tensors.values()))
            first.memory[0] ^= 1
        return Model(tensors)


class AutoTokenizer:
    @staticmethod
    def from_pretrained(folder, trust_remote_code, local_files_only):
        assert trust_remote_code is False and local_files_only is True
        if not pathlib.Path(folder, "tokenizer.json").exists():
            raise OSError("there is\nno tokenizer")
        return AutoTokenizer()

    def __call__(self, text, return_tensors):
        return Given(input_ids=Ids([ord(c) for c in text]), attention_mask=None)

    def decode(self, tokens, skip_special_tokens):
        return "".join("blah " if t == 7 else chr(t) for t in tokens)
