package loader

import "github.com/sllmq/sllmq/collector/checkpoint"

// Python lists what the Python worker does, which is no code of ours and has
// no Open here: collector/worker/transformers.py calls it.
//
// from_pretrained is transformers' own way from safetensors files to a model,
// in whatever version is installed: AutoModelForCausalLM.from_pretrained, onto
// a GPU with a device map. mmap and mmap-parallel stand for what it does with
// the bytes; it builds the model besides.
//
// store is ServerlessLLM's: sllm_store.transformers.load_model, which has a
// server bring the tensors.
func Python() []Technique {
	return []Technique{
		{Name: "from_pretrained", Formats: []checkpoint.Format{checkpoint.SafeTensors}, Mapped: true, Device: true, ownThreads: parallelThreads()},
		{Name: "store", Formats: []checkpoint.Format{checkpoint.SLLM}, Device: true, Pooled: true, Served: true},
	}
}

// FindPython looks a technique of the Python worker up by name.
func FindPython(name string) (Technique, error) {
	return find(name, Python())
}

// DefaultPython is its loader of a format.
func DefaultPython(f checkpoint.Format) string {
	if f == checkpoint.SLLM {
		return "store"
	}
	return "from_pretrained"
}
