// Package storagepb is the contract of ServerlessLLM's sllm-store in Go
// (storage.proto), and what sllmq's own server offers beyond it (sllmq.proto).
// `make proto` generates it.
package storagepb
