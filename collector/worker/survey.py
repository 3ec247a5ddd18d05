"""Lists the packages that this interpreter could import, and their versions.

Reads one line: a JSON object that maps modules to the distributions that hold
them. Writes one: the path of the interpreter, the versions of the packages that
loading may use, and the missing distributions. Nothing is imported.
"""

import importlib.metadata
import importlib.util
import json
import platform
import sys

ALSO = ["torch", "transformers", "safetensors", "accelerate", "tokenizers", "huggingface_hub", "numpy", "triton", "grpcio",
        "serverless-llm-store", "cuda-toolkit", "nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12"]


def version(distribution):
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


wanted = json.loads(sys.stdin.buffer.readline())
missing = sorted(wanted[module] for module in wanted if importlib.util.find_spec(module) is None)
packages = {name: version(name) for name in ALSO}
packages = {name: found for name, found in packages.items() if found}
for distribution in wanted.values():
    if distribution not in missing:
        packages.setdefault(distribution, "unknown")  # not installed by pip
packages["python"] = platform.python_version()
print(json.dumps({"executable": sys.executable, "packages": packages, "missing": missing}))
