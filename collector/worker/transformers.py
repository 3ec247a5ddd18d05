"""sllmq's worker for the stack that people serve with: torch and transformers.

It speaks the protocol of collector/worker (protocol.go): one request per line on
standard input, one reply per line on standard output, until its input ends. Rows
are objects whose keys are columns of the warehouse. Its parent takes the evidence
that is visible from outside, such as residency in the page cache; this process
reports what only it knows.

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

ALIGN = 256  # bytes: where a tensor may begin in the host device's memory


class Refused(Exception):
    """Something that cannot be done, with the reason for people."""


def one_line(error):
    """An exception as one line."""
    text = " ".join(str(error).split())
    if isinstance(error, Refused):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Clock:
    """The stages of one load, in seconds since it began. Safe for threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.parts = {}
        self.begin()

    def begin(self):
        self.begun = time.perf_counter()

    def elapsed(self):
        return time.perf_counter() - self.begun

    def add(self, name, begun, moved=0):
        """Counts a part that began at begun (see elapsed) and ends now."""
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
            {"stage": name, "start_s": start, "duration_s": end - start, "busy_s": busy, "bytes": moved or None}
            for name, (start, end, busy, moved) in sorted(self.parts.items(), key=lambda part: part[1][0])
        ]


class Host:
    """RAM as a device: a separate region, allocated and touched before a load.

    On a CPU transformers leaves tensors in the mapping of their file, not yet
    read. Here they are copied out of it where and when transformers would copy
    them to a GPU.
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
        self.memory.zero_()  # touch it, so that no load pays for that
        self.taken = 0
        self.mapped = []
        self.lock = threading.Lock()
        self.clock = None
        torch.set_num_threads(1)  # a copy to a device uses one thread
        self.stand_in()

    def stand_in(self):
        """Replaces the function by which the threads of transformers 5 bring each
        tensor to its device. In older versions settle copies when all tensors are
        mapped."""
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
        """Returns the tensor on the device. One that is not in a file is left
        where it is."""
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
        """Returns the memory in use on the GPUs, by all processes."""
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
    """Returns where files of a folder are mapped in this process."""
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
    """Returns the config of a model, and refuses a model with code of its own."""
    import transformers

    path = pathlib.Path(folder, "config.json")
    try:
        own = json.loads(path.read_text()).get("auto_map")
    except (OSError, ValueError, AttributeError) as error:
        raise Refused(f"read {path}: {one_line(error)}") from error
    if own:
        raise Refused(f"{path} names code of its own (auto_map), which is never run here")
    return transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def dtype_of(torch, name, folder):
    """Returns the type to load in: the checkpoint's, so nothing is converted."""
    if name != "auto":
        return getattr(torch, name)
    from safetensors import safe_open

    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for tensor in file.keys():
                dtype = file.get_tensor(tensor).dtype
                if dtype.is_floating_point:
                    return dtype
    raise Refused(f"{folder} has no tensor of a floating-point type: name a dtype")


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
        # Build the model without memory, so that its code is imported.
        config = config_of(ask["dir"])
        with torch.device("meta"):
            self.auto.from_config(config, trust_remote_code=False)

    def bring(self, folder, clock):
        with clock.stage("from_pretrained"):
            return self.auto.from_pretrained(folder, **self.arguments)


class Store:
    """ServerlessLLM's Python client of a running server."""

    def __init__(self, torch, transformers, ask, device):
        from sllm_store import transformers as upstream

        # It has a fixed address; the server may have another.
        client = upstream.SllmStoreClient
        upstream.SllmStoreClient = lambda _: client(ask["store"]["address"])
        if device.place.type != "cuda":
            raise Refused("sllm_store loads to a GPU only: use device cuda:0")
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
    """The state of the process between requests."""

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
        return {"ready": {"pid": os.getpid(), "setup_time_s": self.setup}}

    def load(self, ask):
        row, clock, taken = {"started_at": now()}, Clock(), None
        before = usage()
        try:
            self.device.begin(ask["dir"], clock)
            row["device_memory_before_bytes"] = self.device.used()
            before, row["started_at"] = usage(), now()
            clock.begin()
            self.model = self.technique.bring(ask["dir"], clock)
            self.device.settle(self.model)
            taken = clock.elapsed()
        except Exception as error:
            row["error"] = one_line(error)
        after = usage()
        row.update({key: after[key] - before[key] for key in after})
        row["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        stages = clock.stages()
        row["device_memory_after_bytes"] = self.device.used()
        row["device_memory_peak_bytes"] = self.device.peak()
        if taken is None:
            self.free()
        else:
            row["loading_time_s"] = taken
            state = self.model.state_dict()
            row["tensors"] = len(state)
            row["bytes"] = sum({(t.data_ptr(), t.nbytes): t.nbytes for t in state.values()}.values())
            if not ask["keep"]:
                self.free()
        return {"outcome": {"load": row, "stages": stages}}

    def verify(self, ask):
        """Compares the tensors on the device with the replica's files."""
        try:
            state, wrong, unknown = self.model.state_dict(), [], []
            for name, source in (sllm_tensors if self.ask["format"] == "sllm" else safetensors_of)(self.torch, ask["dir"]):
                loaded = state.get(name_in(self.model, state, name))
                if loaded is None:
                    unknown.append(name)
                elif not same(self.torch, loaded, source):
                    wrong.append(name)
            # A model that uses other names than its files cannot be compared.
            verdict = {"verified": not wrong} if not unknown else {}
            if wrong:
                verdict["error"] = f"verify {ask['dir']}: tensor {wrong[0]} is not on the device as it is in the file ({len(wrong)} such)"
            elif unknown:
                print(f"not verified: the model has no tensor {unknown[0]} ({len(unknown)} such)", file=sys.stderr)
        except Exception as error:
            verdict = {"verified": False, "error": f"verify {ask['dir']}: {one_line(error)}"}
        if not ask["keep"] or "error" in verdict:
            self.free()
        return {"verdict": verdict}

    def generate(self, ask):
        made = {"device": self.ask["device"]}
        try:
            made.update(self.text(ask))
        except Refused as error:
            made["unsupported"] = one_line(error)
        except Exception as error:
            made["error"] = "generate: " + one_line(error)
        self.free()
        return {"generated": made}

    def text(self, ask):
        torch = self.torch
        if self.tokenizer is None:
            try:
                self.tokenizer = self.transformers.AutoTokenizer.from_pretrained(ask["dir"], trust_remote_code=False, local_files_only=True)
            except Exception as error:
                raise Refused(f"no tokenizer: {one_line(error)}") from error
        given = self.tokenizer(ask["prompt"], return_tensors="pt").to(self.device.place)
        # Everything that the model's generation config could override.
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
        return times.describe(prompt, tokens[prompt:]) | {"output_text": self.tokenizer.decode(tokens, skip_special_tokens=True)}

    def free(self):
        self.model = None
        gc.collect()
        self.device.free()


class Times:
    """A streamer, which transformers calls with each token, that notes the time."""

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
            "token_times_s": json.dumps([b - a for a, b in zip([0.0] + self.at, self.at)]),
            "throughput_tokens_per_s": (prompt + len(tokens)) / last,
            "token_ids_sha256": hashlib.sha256(struct.pack(f"<{len(tokens)}i", *tokens)).hexdigest(),
        }
        if len(self.at) > 1:
            made["decode_tokens_per_s"] = (len(self.at) - 1) / (last - first)
        return made


def name_in(model, state, name):
    """Returns a tensor's name in the model: files may omit the inner model's
    prefix, or include it."""
    prefix = getattr(model, "base_model_prefix", "") + "."
    for candidate in (name, prefix + name, name.removeprefix(prefix)):
        if candidate in state:
            return candidate
    return name


def same(torch, loaded, source):
    loaded, source = loaded.detach().cpu(), source.to(loaded.dtype)
    if loaded.shape != source.shape:
        return False
    # Compare bytes: NaN is not equal to itself.
    return torch.equal(*(t.contiguous().reshape(-1).view(torch.uint8) for t in (loaded, source)))


def safetensors_of(torch, folder):
    from safetensors import safe_open

    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                yield name, file.get_tensor(name)


def sllm_tensors(torch, folder):
    """Yields the tensors of an sllm checkpoint; partitions are contiguous."""
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
    """Yields the parent's requests. They are read by a thread, so that a load ends
    when the parent is gone."""
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
                reply = {"error": "worker: unexpected request: send open, then loads, and verify or generate after a load with keep"}
        except Exception as error:
            reply = {"error": one_line(error)}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


main()
