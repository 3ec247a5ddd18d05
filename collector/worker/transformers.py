"""sllmq's worker for the stack that people serve with: torch and transformers.

It speaks the protocol of collector/worker (protocol.go): a request a line on
standard input, a reply a line on standard output, and it ends when its input
does. Its parent takes the evidence that can be had from outside, such as what
lies in the page cache; what the process alone knows is told here.

safetensors  transformers' from_pretrained, on a GPU with a device map
sllm         sllm_store's load_model, from a server that is running

No pickle is read, no code of a model is run, and the network stays off.
"""

import contextlib
import datetime
import gc
import hashlib
import json
import math
import mmap
import os
import pathlib
import queue
import resource
import struct
import sys
import threading
import time

STAGE_UNIT = 1_000_000_000  # a stage's times are whole nanoseconds
ALIGN = 256  # bytes: where a tensor may begin in the host device's memory


class Refused(Exception):
    """What can't be done, in words for people."""


def told(error):
    """An exception as one line."""
    text = " ".join(str(error).split())
    if isinstance(error, Refused):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Clock:
    """The stages of one load, since its beginning. For several threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.parts = {}
        self.begin()

    def begin(self):
        self.begun = time.perf_counter()

    def elapsed(self):
        return time.perf_counter() - self.begun

    def add(self, name, begun, moved=0):
        """A part that began at begun, by elapsed, and ends now."""
        ended = self.elapsed()
        with self.lock:
            start, end, busy, total = self.parts.get(name, (begun, ended, 0.0, 0))
            self.parts[name] = min(start, begun), max(end, ended), busy + ended - begun, total + moved

    @contextlib.contextmanager
    def stage(self, name):
        begun = self.elapsed()
        yield
        self.add(name, begun)

    def stages(self):
        return [
            {"name": name, "start": round(start * STAGE_UNIT), "end": round(end * STAGE_UNIT), "busy": round(busy * STAGE_UNIT), "bytes": moved}
            for name, (start, end, busy, moved) in sorted(self.parts.items(), key=lambda part: part[1][0])
        ]


class Host:
    """RAM as a device: memory of its own, which is there before a load begins.

    On a CPU transformers leaves tensors in the mapping of their file, where
    nobody has read them yet. Here they are copied from there, where and when
    transformers would copy them to a GPU.
    """

    def __init__(self, torch, capacity):
        self.torch = torch
        self.place = torch.device("cpu")
        huge = 2 << 20
        # Private: memory that could be shared gets no huge pages.
        self.region = mmap.mmap(-1, max(1, math.ceil(capacity / huge)) * huge, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            self.region.madvise(mmap.MADV_HUGEPAGE)
        self.memory = torch.frombuffer(self.region, dtype=torch.uint8)
        self.memory.zero_()  # touched, so that no load pays for it
        self.taken = 0
        self.mapped = []
        self.lock = threading.Lock()
        self.clock = None
        torch.set_num_threads(1)  # a copy to a device is not spread over CPUs
        self.stand_in()

    def stand_in(self):
        """Takes the place of a GPU in transformers 5, whose threads bring each
        tensor to its device by one function. In a transformers without it,
        settle copies when all is mapped."""
        try:
            from transformers import core_model_loading as loading

            to_device = loading._materialize_copy
        except (ImportError, AttributeError):
            return
        loading._materialize_copy = lambda *args, **named: self.bring(to_device(*args, **named))

    def arguments(self):
        return {}

    def begin(self, folder, clock):
        self.folder, self.clock, self.mapped = folder, clock, []

    def in_file(self, at):
        if 0 <= at - self.memory.data_ptr() < len(self.memory):
            return False
        if not any(begin <= at < end for begin, end in self.mapped):
            self.mapped = mappings(self.folder)
        return any(begin <= at < end for begin, end in self.mapped)

    def bring(self, tensor):
        """The tensor on the device. What is no longer in a file is left."""
        size = tensor.nbytes
        if size == 0 or not self.in_file(tensor.data_ptr()):
            return tensor
        begun = self.clock.elapsed()
        with self.lock:
            start, end = self.taken, self.taken + size
            if end > len(self.memory):
                raise Refused(f"the model needs more than the {len(self.memory)} bytes of device host: its tensors are larger than its files say")
            self.taken = math.ceil(end / ALIGN) * ALIGN
        place = self.memory[start:end].view(tensor.dtype).view(tensor.shape)
        place.copy_(tensor)
        self.clock.add("copy", begun, size)
        return place

    def settle(self, model):
        places = {}
        with self.torch.no_grad():
            for tensor in tensors_of(model):
                key = tensor.data_ptr(), tensor.shape
                if key not in places:
                    places[key] = self.bring(tensor)
                if places[key] is not tensor:
                    tensor.data = places[key]

    def used(self):
        return self.taken

    def peak(self):
        return None

    def synchronize(self):
        pass

    def free(self):
        self.taken = 0


class Cuda:
    """A GPU, or several that share a model: cuda:0+cuda:1."""

    def __init__(self, torch, name):
        self.torch = torch
        if not torch.cuda.is_available():
            raise Refused(f"device {name}: this torch ({torch.__version__}) finds no GPU: python3 -c 'import torch; torch.cuda.init()' says why")
        numbers = [int(part.partition(":")[2]) for part in name.split("+")]
        if max(numbers) >= torch.cuda.device_count():
            raise Refused(f"device {name}: this torch finds {torch.cuda.device_count()} GPUs")
        self.places = [torch.device("cuda", number) for number in numbers]
        self.place = self.places[0]
        for place in self.places:
            torch.zeros(1, device=place)
        self.synchronize()

    def device_map(self):
        return {"": self.place.index} if len(self.places) == 1 else "auto"

    def arguments(self):
        if len(self.places) == 1:
            return {"device_map": self.device_map()}
        room = {place.index: self.torch.cuda.mem_get_info(place)[0] for place in self.places}
        return {"device_map": self.device_map(), "max_memory": room}

    def settle(self, model):
        with self.clock.stage("synchronize"):
            self.synchronize()

    def used(self):
        """All that anybody has taken of them."""
        return sum(total - free for free, total in map(self.torch.cuda.mem_get_info, self.places))

    def peak(self):
        return sum(self.torch.cuda.max_memory_allocated(place) for place in self.places)

    def begin(self, folder, clock):
        self.clock = clock
        for place in self.places:
            self.torch.cuda.reset_peak_memory_stats(place)
        self.synchronize()

    def synchronize(self):
        for place in self.places:
            self.torch.cuda.synchronize(place)

    def free(self):
        self.torch.cuda.empty_cache()


def mappings(folder):
    """Where files of a folder are mapped in this process."""
    found = []
    with open("/proc/self/maps", "rb") as lines:
        for line in lines:
            fields = line.split(None, 5)
            if len(fields) == 6 and os.fsdecode(fields[5].rstrip(b"\n")).startswith(folder + "/"):
                begin, _, end = fields[0].partition(b"-")
                found.append((int(begin, 16), int(end, 16)))
    return found


def tensors_of(model):
    yield from model.parameters()
    yield from model.buffers()


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def usage():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cpu_user_s": r.ru_utime,
        "cpu_system_s": r.ru_stime,
        "major_faults": r.ru_majflt,
        "minor_faults": r.ru_minflt,
        "voluntary_switches": r.ru_nvcsw,
        "involuntary_switches": r.ru_nivcsw,
    }


def config_of(folder):
    """The config of a model, whose own code is not wanted."""
    import transformers

    path = pathlib.Path(folder, "config.json")
    try:
        own = json.loads(path.read_text()).get("auto_map")
    except (OSError, ValueError, AttributeError) as error:
        raise Refused(f"read {path}: {told(error)}") from error
    if own:
        raise Refused(f"{path} names code of its own (auto_map), which is never run here")
    return transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def dtype_of(torch, name, folder):
    """The type to load in: the checkpoint's, so that nothing is converted."""
    if name != "auto":
        return getattr(torch, name)
    from safetensors import safe_open

    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for tensor in file.keys():
                dtype = file.get_tensor(tensor).dtype
                if dtype.is_floating_point:
                    return dtype
    raise Refused(f"{folder} has no tensor of a floating-point type: name a --dtype")


class Pretrained:
    """transformers' own loading of safetensors files."""

    def __init__(self, torch, transformers, ask, device):
        self.auto = transformers.AutoModelForCausalLM
        # The argument had another name before transformers 4.56.
        version = tuple(int(n) for n in transformers.__version__.split(".")[:2] if n.isdigit())
        self.arguments = {
            "dtype" if version >= (4, 56) else "torch_dtype": dtype_of(torch, ask["dtype"], ask["dir"]),
            "use_safetensors": True,
            "weights_only": True,
            "trust_remote_code": False,
            "local_files_only": True,
            **device.arguments(),
        }
        # Builds the model without memory, so that its code is imported.
        config = config_of(ask["dir"])
        with torch.device("meta"):
            self.auto.from_config(config, trust_remote_code=False)

    def bring(self, folder, clock):
        with clock.stage("from_pretrained"):
            return self.auto.from_pretrained(folder, **self.arguments)


class Store:
    """ServerlessLLM's Python client, and the server that it talks to."""

    def __init__(self, torch, transformers, ask, device):
        from sllm_store import transformers as upstream

        # It knows one address alone, and the server may be at another.
        client = upstream.SllmStoreClient
        upstream.SllmStoreClient = lambda _: client(ask["store"]["address"])
        if device.place.type != "cuda":
            raise Refused("sllm_store loads to a GPU only: use --device cuda:0")
        config_of(ask["dir"])
        self.load_model = upstream.load_model
        self.storage = ask["storage_path"]
        self.arguments = {
            "device_map": device.device_map(),
            "torch_dtype": getattr(torch, ask["dtype"]),
            "storage_path": self.storage,
        }

    def bring(self, folder, clock):
        with clock.stage("load_model"):
            return self.load_model(os.path.relpath(folder, self.storage), **self.arguments)


class Worker:
    """What one process holds between requests."""

    def __init__(self):
        self.ask = None
        self.model = None
        self.tokenizer = None

    def open(self, ask):
        import torch
        import transformers

        begun = time.perf_counter()
        with contextlib.suppress(AttributeError):  # an older transformers
            transformers.utils.logging.disable_progress_bar()
        self.torch, self.transformers = torch, transformers
        self.device = Host(torch, ask["device_bytes"]) if ask["device"] == "host" else Cuda(torch, ask["device"])
        self.setup = time.perf_counter() - begun
        kind = Store if ask["format"] == "sllm" else Pretrained
        self.technique = kind(torch, transformers, ask, self.device)
        self.ask = ask
        return {"ready": {"pid": os.getpid(), "setup_s": self.setup}}

    def load(self, ask):
        outcome, clock, taken = {"started_at": now()}, Clock(), None
        before = usage()
        try:
            self.device.begin(ask["dir"], clock)
            outcome["device_memory_before_bytes"] = self.device.used()
            before, outcome["started_at"] = usage(), now()
            clock.begin()
            self.model = self.technique.bring(ask["dir"], clock)
            self.device.settle(self.model)
            taken = clock.elapsed()
        except Exception as error:
            outcome["error"] = told(error)
        after = usage()
        outcome.update({key: after[key] - before[key] for key in after})
        outcome["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        outcome["stages"] = clock.stages()
        outcome["device_memory_after_bytes"] = self.device.used()
        outcome["device_memory_peak_bytes"] = self.device.peak()
        if taken is None:
            self.free()
        else:
            outcome["loading_time_s"] = taken
            state = self.model.state_dict()
            outcome["tensors"] = len(state)
            outcome["bytes"] = sum({(t.data_ptr(), t.nbytes): t.nbytes for t in state.values()}.values())
            if not ask["keep"]:
                self.free()
        return {"outcome": outcome}

    def verify(self, ask):
        """Holds what is on the device against the replica's files."""
        try:
            state, wrong, unknown = self.model.state_dict(), [], []
            for name, source in (sllm_tensors if self.ask["format"] == "sllm" else safetensors_of)(self.torch, ask["dir"]):
                loaded = state.get(name_in(self.model, state, name))
                if loaded is None:
                    unknown.append(name)
                elif not same(self.torch, loaded, source):
                    wrong.append(name)
            # A model that goes by other names than its file can't be held against it.
            verdict = {"verified": not wrong} if not unknown else {}
            if wrong:
                verdict["error"] = f"verify {ask['dir']}: tensor {wrong[0]} is not on the device as it is in the file ({len(wrong)} such)"
            elif unknown:
                print(f"not verified: the model has no tensor {unknown[0]} ({len(unknown)} such)", file=sys.stderr)
        except Exception as error:
            verdict = {"verified": False, "error": f"verify {ask['dir']}: {told(error)}"}
        if not ask["keep"] or "error" in verdict:
            self.free()
        return {"verdict": verdict}

    def generate(self, ask):
        made = {"prompt": ask["prompt"], "device": self.ask["device"]}
        try:
            made.update(self.text(ask))
        except Refused as error:
            made["unsupported"] = told(error)
        except Exception as error:
            made["error"] = "generate: " + told(error)
        self.free()
        return {"generated": made}

    def text(self, ask):
        torch = self.torch
        if self.tokenizer is None:
            try:
                self.tokenizer = self.transformers.AutoTokenizer.from_pretrained(ask["dir"], trust_remote_code=False, local_files_only=True)
            except Exception as error:
                raise Refused(f"no tokenizer: {told(error)}") from error
        given = self.tokenizer(ask["prompt"], return_tensors="pt").to(self.device.place)
        # All that the model's own generation config may say otherwise.
        settings = {"max_new_tokens": ask["new_tokens"], "do_sample": ask["temperature"] > 0, "num_beams": 1, "repetition_penalty": 1.0}
        if ask["temperature"] > 0:
            settings.update(temperature=ask["temperature"], top_p=ask["top_p"], top_k=0)
            torch.manual_seed(ask["seed"])
        threads = torch.get_num_threads()
        torch.set_num_threads(ask["threads"] or os.cpu_count() or 1)
        times = Times()
        with torch.inference_mode():
            self.device.synchronize()
            times.begin()
            output = self.model.generate(input_ids=given["input_ids"], attention_mask=given["attention_mask"], streamer=times, **settings)
        torch.set_num_threads(threads)
        prompt = given["input_ids"].shape[1]
        tokens = output[0].tolist()
        return times.describe(prompt, tokens[prompt:]) | {"text": self.tokenizer.decode(tokens, skip_special_tokens=True)}

    def free(self):
        self.model = None
        gc.collect()
        self.device.free()


class Times:
    """When each token came: transformers hands them to a streamer."""

    def begin(self):
        self.begun = time.perf_counter()
        self.at = None  # the prompt comes first

    def put(self, value):
        if self.at is None:
            self.at = []
        else:
            self.at.append(time.perf_counter() - self.begun)

    def end(self):
        pass

    def describe(self, prompt, tokens):
        first, last = self.at[0], self.at[-1]
        made = {
            "input_tokens": prompt,
            "output_tokens": len(tokens),
            "end_to_end_time_s": last,
            "time_to_first_token_s": first,
            "token_times_s": [b - a for a, b in zip([0.0] + self.at, self.at)],
            "throughput_tokens_per_s": (prompt + len(tokens)) / last,
            "token_ids_sha256": hashlib.sha256(struct.pack(f"<{len(tokens)}i", *tokens)).hexdigest(),
        }
        if len(self.at) > 1:
            made["decode_tokens_per_s"] = (len(self.at) - 1) / (last - first)
        return made


def name_in(model, state, name):
    """A file may leave the name of the inner model out, or say it."""
    prefix = getattr(model, "base_model_prefix", "") + "."
    for candidate in (name, prefix + name, name.removeprefix(prefix)):
        if candidate in state:
            return candidate
    return name


def same(torch, loaded, source):
    loaded, source = loaded.detach().cpu(), source.to(loaded.dtype)
    if loaded.shape != source.shape:
        return False
    # Bytes are compared, since no NaN is equal to itself.
    return torch.equal(*(t.contiguous().reshape(-1).view(torch.uint8) for t in (loaded, source)))


def safetensors_of(torch, folder):
    from safetensors import safe_open

    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                yield name, file.get_tensor(name)


def sllm_tensors(torch, folder):
    """The tensors of an sllm checkpoint, whose partitions follow each other."""
    parts = []
    for number in range(1 << 16):
        path = pathlib.Path(folder, f"tensor.data_{number}")
        if not path.exists():
            break
        with path.open("rb") as file:
            parts.append(torch.frombuffer(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE), dtype=torch.uint8))
    index = json.loads(pathlib.Path(folder, "tensor_index.json").read_text())
    for name, (offset, size, shape, stride, dtype) in index.items():
        at = offset
        for part in parts:
            if at < len(part):
                break
            at -= len(part)
        data = part[at : at + size].clone().view(getattr(torch, dtype.removeprefix("torch.")))
        yield name, data.as_strided(shape, stride)


def requests():
    """The parent's lines, read apart from the work, so that a parent that is
    gone ends the load under way."""
    lines = queue.SimpleQueue()

    def read():
        for line in sys.stdin.buffer:
            lines.put(line)
        sys.stderr.flush()
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield json.loads(lines.get())


def main():
    # What the packages print goes to standard error.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker()
    for request in requests():
        try:
            if request.get("open") and worker.ask is None:
                reply = worker.open(request["open"])
            elif request.get("load") and worker.ask and worker.model is None:
                reply = worker.load(request["load"])
            elif request.get("verify") and worker.model is not None:
                reply = worker.verify(request["verify"])
            elif request.get("generate") and worker.model is not None:
                reply = worker.generate(request["generate"])
            else:
                reply = {"error": "worker: a request is out of turn: first open, then loads, and what comes after a load that was kept"}
        except Exception as error:
            reply = {"error": told(error)}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


main()
