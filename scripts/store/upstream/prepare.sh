#!/usr/bin/env bash
# Prepares ServerlessLLM's store for use without a GPU: downloads its sdist and the packages
# that it imports (PyPI) and, unless it is installed, glog (Debian's); builds its two
# extensions with build.sh, and the test driver that replaces NVIDIA's.
#
#   scripts/store/upstream/prepare.sh PYTHON TO
#
# PYTHON must have pip, torch and safetensors. Existing parts of TO are kept. TO/env sets
# the variables that scripts/store/upstream.sh and scripts/bench/upstream.sh read.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=$(realpath -s "$(command -v "$1")")
mkdir -p "$2/glog" "$2/driver"
to=$(realpath "$2")
[[ -d $to/site ]] || {
	"$python" -m pip install --quiet --no-deps --target "$to/site.new" --requirement "$here/requirements.txt"
	mv "$to/site.new" "$to/site"
}
sdist=$to/serverless_llm_store-0.8.0.tar.gz
[[ -e $sdist ]] || {
	# pip runs its setup.py for the metadata, and that requires an nvcc.
	mkdir -p "$to/toolkit/bin"
	ln -sf "$(type -P true)" "$to/toolkit/bin/nvcc"
	CUDA_HOME=$to/toolkit "$python" -m pip download --quiet --no-deps --no-build-isolation --no-binary :all: \
		--require-hashes --requirement "$here/sdist.txt" --dest "$to"
}
glog=
[[ -e $(cc -print-file-name=libglog.so) ]] || {
	glog=$to/glog
	[[ -d $glog/include ]] || (
		cd "$glog"
		apt-get --quiet download libgoogle-glog-dev libgoogle-glog0v6 libgflags-dev libgflags2.2 libunwind8 >&2
		for package in *.deb; do dpkg-deb -x "$package" root; done
		mkdir lib
		find root -name '*.so*' -exec cp -a -t lib {} +
		mv root/usr/include include
	)
}
cc -shared -fPIC -pthread -o "$to/driver/libcuda.so.1" "$here/../../../collector/nvidia/cudatest/lib/cuda.c"
[[ -e $to/upstream/bin/sllm-store ]] || GLOG=$glog "$here/build.sh" "$sdist" "$to/upstream" "$python" stand-in >&2
cat >"$to/env" <<ENV
export PYTHON=$python SITE=$to/site GLOG=$glog SDIST=$sdist STAND_IN=$to/driver UPSTREAM=$to/upstream
ENV
