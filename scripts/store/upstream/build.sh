#!/usr/bin/env bash
# Builds ServerlessLLM's store, serverless-llm-store 0.8.0, from its sdist. The package's
# setup.py requires nvcc and clones glog, although it only compiles C++; this script
# compiles the same files with the same flags.
#
#   scripts/store/upstream/build.sh SDIST TO PYTHON [stand-in]
#
# Writes sllm_store (add TO to PYTHONPATH) and bin/sllm-store to TO. PYTHON must have torch.
# Set CUDA_HOME if CUDA's headers and libcudart are not found, and GLOG to the folder with
# glog 0.6's include and lib if they are not the system's.
#
# With stand-in, cudart.c replaces CUDA, and restore_tensors makes tensors on the device
# "cpu", where its memory is. That is the only line of theirs that is changed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
sdist=$(realpath "$1") to=$2 python=$(realpath -s "$(command -v "$3")") kind=${4:-cuda}
mkdir -p "$to"
to=$(realpath "$to")
tar -xzf "$sdist" -C "$to"
source=$(echo "$to"/serverless_llm_store-*/)
rm -rf "$to/sllm_store"
mv "$source/sllm_store" "$to/sllm_store"
# Headers that the code includes but does not use; their libraries need not be installed.
mkdir -p "$to/include/ATen/cuda"
touch "$to/include/ATen/cuda/CUDABlas.h" "$to/include/cublas_v2.h" "$to/include/nvml.h"
compile=(-fPIC -O3 -DNDEBUG -std=c++20 -w -pthread "-I$to/include")
link=(-pthread -Wl,--disable-new-dtags '-Wl,-rpath,$ORIGIN')
if [[ $kind == stand-in ]]; then
	# Hidden symbols, linked into each extension, because torch brings the real runtime.
	cc -c -fPIC -fvisibility=hidden -O2 -Wall -o "$to/cudart.o" "$here/cudart.c"
	sed -i 's/tensor_device(torch::kCUDA, device)/tensor_device(torch::kCPU)/' "$source/csrc/checkpoint/checkpoint.cpp"
	cp "$here/cuda_runtime.h" "$to/include/cuda_runtime.h"
	cp "$here/cuda_runtime.h" "$to/include/cuda_runtime_api.h"
	link+=("$to/cudart.o")
else
	# Look in toolkits, and in NVIDIA's wheels beside torch.
	cudart=
	for cuda in ${CUDA_HOME:-} /usr/local/cuda "$(dirname "$(dirname "$(realpath "$(command -v nvcc || echo /)")")")" \
		"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"/nvidia/{cu13,cuda_runtime}; do
		[[ -e $cuda/include/cuda_runtime.h ]] || continue
		cudart=$(find -H "$cuda" -name 'libcudart.so*' 2>/dev/null | sort | sed -n 1p)
		[[ -z $cudart ]] || break
	done
	[[ -n $cudart ]] || { echo "build.sh: CUDA toolkit not found: set CUDA_HOME" >&2; exit 1; }
	compile+=("-I$cuda/include")
	link+=("$cudart" "-Wl,-rpath,$(dirname "$cudart")")
fi
if [[ -n ${GLOG:-} ]]; then
	compile+=("-I$GLOG/include")
	link+=("-L$GLOG/lib" "-Wl,-rpath,$GLOG/lib")
	glog=$GLOG/lib/libglog.so
else
	glog=$(cc -print-file-name=libglog.so)
fi
[[ -e $glog ]] || { echo "build.sh: glog 0.6 not found: install libgoogle-glog-dev, or set GLOG to the folder with its include and lib" >&2; exit 1; }
ln -sf "$(realpath "$glog")" "$to/sllm_store/libglog.so"
torch() { "$python" -c "
import sysconfig, torch
from torch.utils import cpp_extension as e
$1"; }
while read -r flag; do compile+=("$flag"); done < <(torch '
for folder in [*e.include_paths(), sysconfig.get_path("include")]: print("-isystem" + folder)
print("-D_GLIBCXX_USE_CXX11_ABI=%d" % torch._C._GLIBCXX_USE_CXX11_ABI)')
while read -r flag; do link+=("$flag"); done < <(torch '
for folder in e.library_paths(): print("-L" + folder, "-Wl,-rpath," + folder, sep="\n")')
suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
cd "$source/csrc"
printf '%s\0' checkpoint/*.cpp sllm_store/*.cpp | xargs -0 -P "$(nproc)" -I{} sh -c '
	source=$1 name=_checkpoint_store
	shift
	case $source in checkpoint/*) name=_C ;; esac
	exec c++ -c -DTORCH_EXTENSION_NAME="$name" -o "$source.o" "$source" "$@"' sh {} "${compile[@]}"
link() { # NAME OBJECT...
	local name=$1
	shift
	c++ -shared -o "$to/sllm_store/$name$suffix" "$@" "${link[@]}" -lc10 -ltorch_cpu -ltorch -ltorch_python
}
link _C checkpoint/*.o
link _checkpoint_store sllm_store/*.o -lglog
mkdir -p "$to/bin"
cat >"$to/bin/sllm-store" <<SH
#!/usr/bin/env bash
# The package's entry point.
export PYTHONPATH="$to\${PYTHONPATH:+:\$PYTHONPATH}"
exec "$python" -c 'from sllm_store.cli import main; main()' "\$@"
SH
chmod +x "$to/bin/sllm-store"
