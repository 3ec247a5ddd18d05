// Package storagepb has the gRPC contract of ServerlessLLM's sllm-store
// (storage.proto), and the service that sllmq's own server adds (sllmq.proto).
// `make proto` generates it from these files.
package storagepb
