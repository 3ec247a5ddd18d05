"""Tests the store on 127.0.0.1:8073, the only address that ServerlessLLM's Python
client uses, with that client.

    client.py small STORAGE MODEL
    client.py STORAGE MODEL SAFETENSORS

STORAGE is the server's storage path, MODEL a model in it in the SLLM format, and
SAFETENSORS the folder of the same model as safetensors. Every tensor from load_dict is
compared with that, twice, and then from four concurrent calls. On a GPU, load_model's
model must generate the same tokens as transformers' own. With small, the server's pool is
too small for the model, and the load must fail within seconds. Exits with 0 if everything
is as expected.
"""

import glob
import os
import sys
import threading
import time

import torch
from safetensors.torch import load_file
from sllm_store.client import SllmStoreClient
from sllm_store.torch import load_dict

STORAGE, MODEL = sys.argv[-3:-1] if sys.argv[1] != "small" else sys.argv[2:4]


def timed(what, f):
    begun = time.monotonic()
    r = f()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    print(f"{what}: {time.monotonic() - begun:.3f} s", flush=True)
    return r


def load():
    return load_dict(MODEL, {"": 0}, STORAGE)


def too_large():
    try:
        timed("a model larger than the pool", load)
    except ValueError as e:
        print("refused:", e)
        return
    sys.exit("a model larger than the pool was loaded")


def held(state, want):
    assert sorted(state) == sorted(want), f"different names: {sorted(set(state) ^ set(want))[:5]}"
    for name, t in state.items():
        w = want[name].to(t.device)
        assert t.dtype == w.dtype and t.shape == w.shape, f"{name}: {t.dtype} {tuple(t.shape)}"
        assert torch.equal(t.view(torch.uint8) if t.dim() else t, w.view(torch.uint8) if t.dim() else w), f"{name}: bytes differ"


def tokens(model, ids):
    with torch.no_grad():
        return model.generate(ids.to(model.device), attention_mask=torch.ones_like(ids).to(model.device),
                              max_new_tokens=16, do_sample=False)[0].tolist()


def generate(safetensors):
    from sllm_store.transformers import load_model
    from transformers import AutoModelForCausalLM

    ids = torch.arange(2, 12).unsqueeze(0)
    for parallel in (True, False):
        model = timed(f"load_model, fully_parallel={parallel}",
                      lambda p=parallel: load_model(MODEL, device_map="auto", torch_dtype=torch.float16, storage_path=STORAGE, fully_parallel=p))
        got = tokens(model, ids)
        del model
        torch.cuda.empty_cache()
        theirs = AutoModelForCausalLM.from_pretrained(safetensors, torch_dtype=torch.float16).to("cuda:0").eval()
        want = tokens(theirs, ids)
        del theirs
        assert got == want, f"load_model generated {got}, transformers {want}"
    print("load_model and from_pretrained generate the same 16 tokens")


def main():
    if sys.argv[1] == "small":
        return too_large()
    want = {}
    for path in sorted(glob.glob(os.path.join(sys.argv[3], "*.safetensors"))):
        want.update(load_file(path))
    client = SllmStoreClient()
    config = client.get_server_config()
    size = client.register_model(MODEL)
    print(f"pool {config['mem_pool_size']} bytes, chunks {config['chunk_size']} bytes, {MODEL} {size} bytes")
    names = None
    for what in ("load_dict, from storage", "load_dict, from the pool"):
        state = timed(what, load)
        if names is None:  # the SLLM format has both names of tied tensors, safetensors one
            for name in set(state) - set(want):
                same = [n for n in want if state[n].data_ptr() == state[name].data_ptr()]
                assert same, f"{name} is not in the safetensors files"
                want[name] = want[same[0]]
            names = sorted(want)
        held(state, want)
        del state
    print(f"{len(names)} tensors loaded twice, all bytes equal to safetensors")

    failures, states = [], [None] * 4

    def one(i):
        try:
            states[i] = load()
        except Exception as e:  # raised in the main thread
            failures.append(e)

    def at_once():
        threads = [threading.Thread(target=one, args=(i,)) for i in range(len(states))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    timed("load_dict, 4 at once", at_once)
    assert not failures, failures
    for state in states:
        held(state, want)
    states.clear()
    if torch.cuda.is_available():
        generate(sys.argv[3])
    assert client.unload_from_cpu(MODEL), "unload_from_cpu"
    held(timed("load_dict, after unload_from_cpu", load), want)


main()
