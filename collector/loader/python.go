package loader

import "github.com/sllmq/sllmq/collector/checkpoint"

// Python returns the techniques of the Python worker. They have no Open, since
// collector/worker/transformers.py calls the packages themselves.
//
// from_pretrained is AutoModelForCausalLM.from_pretrained of the installed
// transformers, with a device map on a GPU. It builds the model as well as
// loading it; mmap and mmap-parallel reproduce what it does with the bytes.
//
// store is sllm_store.transformers.load_model of the installed
// serverless-llm-store, whose server loads the tensors.
func Python() []Technique {
	return []Technique{
		{Name: "from_pretrained", Formats: []checkpoint.Format{checkpoint.SafeTensors}, Mapped: true, Device: true, ownThreads: parallelThreads()},
		{Name: "store", Formats: []checkpoint.Format{checkpoint.SLLM}, Device: true, Pooled: true, Served: true},
	}
}

// FindPython returns the Python worker's technique of that name.
func FindPython(name string) (Technique, error) {
	return find(name, Python())
}

// DefaultPython returns the Python worker's default loader for a format.
func DefaultPython(f checkpoint.Format) string {
	if f == checkpoint.SLLM {
		return "store"
	}
	return "from_pretrained"
}
