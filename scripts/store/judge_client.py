"""Tests sllmq's store with an independent client: grpcio, with stubs generated from
storage.proto only.

    judge_client.py STUBS ADDRESS STORAGE MODEL

STUBS is the folder of the generated modules, STORAGE the server's storage path, and MODEL
a model in it. Loads the model to memory of this process, as a client loads to a GPU's,
compares every byte with the files, and checks the status code of each refusal. Exits with
0 if everything is as expected.
"""

import sys
import threading
import uuid

sys.path.insert(0, sys.argv[1])
import grpc  # noqa: E402
import storage_pb2 as pb  # noqa: E402
import storage_pb2_grpc  # noqa: E402
from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: E402
from host import Memory, whole  # noqa: E402

ADDRESS, STORAGE, MODEL = sys.argv[2:5]


def load(stub, want, memory, replica):
    request = pb.LoadModelRequest(model_path=MODEL, replica_uuid=replica, target_device_type=pb.DEVICE_TYPE_GPU)
    # In parts, in reverse order.
    part = 1 << 20
    for at in reversed(range(0, len(want), part)):
        request.chunks["host"].chunks.add(src_offset=at, size=min(part, len(want) - at), dst_offset=at)
    request.handles["host"].handles.add(cuda_ipc_handle=memory.handle)
    stub.LoadModelAsync(request, timeout=30)
    stub.ConfirmModel(pb.ConfirmModelRequest(model_path=MODEL, replica_uuid=replica, target_device_type=pb.DEVICE_TYPE_GPU), timeout=60)
    assert memory.bytes[: len(want)] == want, "loaded bytes differ from the files"


def refused(code, call, request):
    try:
        call(request, timeout=30)
    except grpc.RpcError as e:
        assert e.code() == code, f"{e.code()}, want {code}: {e.details()}"
        return
    raise AssertionError(f"{request} was accepted")


def main():
    channel = grpc.insecure_channel(ADDRESS)
    stub = storage_pb2_grpc.StorageStub(channel)
    want = whole(STORAGE, MODEL)
    health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="storage.Storage"), timeout=30)
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    config = stub.GetServerConfig(pb.GetServerConfigRequest(), timeout=30)
    assert config.mem_pool_size >= len(want) and config.chunk_size > 0
    assert stub.RegisterModel(pb.RegisterModelRequest(model_path=MODEL), timeout=30).model_size == len(want)
    stub.LoadModelAsync(pb.LoadModelRequest(model_path=MODEL, target_device_type=pb.DEVICE_TYPE_CPU), timeout=30)
    load(stub, want, Memory(len(want)), str(uuid.uuid4()))

    failures = []

    def one():
        try:
            load(storage_pb2_grpc.StorageStub(grpc.insecure_channel(ADDRESS)), want, Memory(len(want)), str(uuid.uuid4()))
        except Exception as e:  # raised in the main thread
            failures.append(e)

    threads = [threading.Thread(target=one) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures

    codes = grpc.StatusCode
    gpu, cpu = pb.DEVICE_TYPE_GPU, pb.DEVICE_TYPE_CPU
    refused(codes.NOT_FOUND, stub.ConfirmModel, pb.ConfirmModelRequest(model_path=MODEL, replica_uuid="nobody", target_device_type=gpu))
    refused(codes.UNIMPLEMENTED, stub.ConfirmModel, pb.ConfirmModelRequest(model_path=MODEL, replica_uuid="nobody", target_device_type=cpu))
    refused(codes.INVALID_ARGUMENT, stub.RegisterModel, pb.RegisterModelRequest(model_path="../" + MODEL))
    refused(codes.INVALID_ARGUMENT, stub.RegisterModel, pb.RegisterModelRequest())
    refused(codes.NOT_FOUND, stub.LoadModelAsync, pb.LoadModelRequest(model_path="no/such/model", target_device_type=cpu))
    refused(codes.UNIMPLEMENTED, stub.UnloadModel, pb.UnloadModelRequest(model_path=MODEL, target_device_type=gpu))
    stub.UnloadModel(pb.UnloadModelRequest(model_path=MODEL, target_device_type=cpu), timeout=30)
    refused(codes.NOT_FOUND, stub.UnloadModel, pb.UnloadModelRequest(model_path=MODEL, target_device_type=cpu))
    stub.ClearMem(pb.ClearMemRequest(), timeout=30)
    load(stub, want, Memory(len(want)), str(uuid.uuid4()))
    print(f"a client on grpcio {grpc.__version__}: {len(want)} bytes of {MODEL} loaded 18 times, and every refusal has the right status code")


main()
