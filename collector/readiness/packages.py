import importlib.metadata
import json
import platform


def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


names = ["torch", "transformers", "safetensors", "accelerate", "serverless-llm-store"]
print(json.dumps({"Python": platform.python_version(), "Packages": {name: version(name) for name in names}}))
