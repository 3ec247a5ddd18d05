package worker

import (
	"errors"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/inference"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/nvrtc"
)

// model returns the network over the tensors of the last load, to be run in
// place, and the name of the device that runs it.
func (n *native) model(config []byte, threads int) (m *inference.Model, on string, err error) {
	tensors := make(map[string]checkpoint.Tensor, len(n.held.Checkpoint.Tensors))
	for _, t := range n.held.Checkpoint.Tensors {
		tensors[t.Name] = t
	}
	if _, ok := n.held.View(checkpoint.Tensor{}); ok {
		m, err := inference.New(config, inMemory(n.held, tensors), threads)
		if err != nil {
			return nil, "", &unsupportedError{err}
		}
		return m, device.Host, nil
	}
	if _, _, ok := n.held.Locate(checkpoint.Tensor{}); !ok {
		return nil, "", &unsupportedError{errors.New("the device's memory cannot be read in place")}
	}
	context, lookup, err := onGPU(n.held, tensors)
	if err != nil {
		return nil, "", err
	}
	gpu, err := n.gpuFor(context)
	if err != nil {
		return nil, "", err
	}
	if m, err = inference.NewOnGPU(config, lookup, gpu); err != nil {
		return nil, "", &unsupportedError{err}
	}
	return m, n.device.Name(), nil
}

// inMemory finds a load's tensors by name.
func inMemory(l *loader.Loaded, tensors map[string]checkpoint.Tensor) inference.Lookup {
	return func(name string) (inference.Tensor, bool) {
		t, ok := tensors[name]
		if !ok || !t.Dense() {
			return inference.Tensor{}, false
		}
		b, ok := l.View(t)
		return inference.Tensor{DType: t.DType.String(), Shape: t.Shape, Data: b}, ok
	}
}

// onGPU finds a load's tensors by name on the one GPU that holds them all.
func onGPU(l *loader.Loaded, tensors map[string]checkpoint.Tensor) (context *cuda.Context, lookup inference.Lookup, err error) {
	for _, t := range tensors {
		if t.Size == 0 {
			continue
		}
		c, _, _ := l.Locate(t)
		if context != nil && c != context {
			return nil, nil, &unsupportedError{errors.New("the model is spread over several GPUs")}
		}
		context = c
	}
	if context == nil {
		return nil, nil, &unsupportedError{errors.New("the checkpoint has no tensors")}
	}
	return context, func(name string) (inference.Tensor, bool) {
		t, ok := tensors[name]
		if !ok || !t.Dense() {
			return inference.Tensor{}, false
		}
		_, at, ok := l.Locate(t)
		return inference.Tensor{DType: t.DType.String(), Shape: t.Shape, Device: at, Bytes: t.Size}, ok
	}, nil
}

// gpuFor compiles the kernels once. A failure is an unsupportedError: the load is
// good.
func (n *native) gpuFor(context *cuda.Context) (*inference.GPU, error) {
	if n.gpu != nil || n.gpuErr != nil {
		return n.gpu, n.gpuErr
	}
	compiler, err := nvrtc.Open("")
	if err == nil {
		n.gpu, err = inference.NewGPU(context, compiler)
	}
	if err != nil {
		n.gpuErr = &unsupportedError{err}
	}
	return n.gpu, n.gpuErr
}
