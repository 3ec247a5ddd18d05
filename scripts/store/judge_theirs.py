"""Tests sllmq's store with ServerlessLLM's own client, sllm_store.client of its published
package: every call, with memory of this process instead of a GPU's.

    judge_theirs.py ADDRESS STORAGE MODEL

STORAGE is the server's storage path, MODEL a model in it. The client uses the package's
own stubs. Exits with 0 if everything is as expected.
"""

import sys
import uuid

from host import Memory, whole
from sllm_store.client import SllmStoreClient

ADDRESS, STORAGE, MODEL = sys.argv[1:4]


def load(client, want):
    """Loads the model to memory of this process and checks the bytes."""
    memory, replica = Memory(len(want)), str(uuid.uuid4())
    half = len(want) // 2
    chunks = [(half, len(want) - half, half, 0), (0, half, 0, 0)]
    assert client.load_into_gpu(MODEL, replica, {"host": chunks}, {"host": [memory.handle]}), "load_into_gpu"
    # confirm_model_loaded returns False after an error, otherwise None.
    assert client.confirm_model_loaded(MODEL, replica) is None, "confirm_model_loaded"
    assert memory.bytes[: len(want)] == want, "loaded bytes differ from the files"


def main():
    client, want = SllmStoreClient(ADDRESS), whole(STORAGE, MODEL)
    config = client.get_server_config()
    assert config["mem_pool_size"] >= len(want) and config["chunk_size"] > 0, config
    assert client.register_model(MODEL) == len(want), "register_model"
    assert client.load_into_cpu(MODEL).model_path == MODEL, "load_into_cpu"
    load(client, want)
    assert client.unload_from_cpu(MODEL), "unload_from_cpu"
    load(client, want)
    # Impossible requests must fail immediately.
    assert client.register_model("no/such/model") == -1
    assert client.load_into_cpu("no/such/model") is False
    assert client.confirm_model_loaded(MODEL, "nobody") is False
    print(f"ServerlessLLM's own client: {len(want)} bytes of {MODEL} loaded, from storage and from the pool")


main()
