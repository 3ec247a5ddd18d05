package storagepb_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sllmq/sllmq/collector/sllmstore/storagepb"
)

// contract is the wire format of ServerlessLLM's store, written down independently
// of the .proto file.
const contract = `
GetServerConfigRequest
GetServerConfigResponse mem_pool_size=1:int64 chunk_size=2:int64
RegisterModelRequest model_path=1:string
RegisterModelResponse model_path=1:string model_size=2:int64
MemCopyChunk src_offset=1:uint64 size=2:uint64 dst_offset=3:uint64 handle_idx=4:uint64
MemCopyChunkList chunks=1:repeated message
MemCopyHandle cuda_ipc_handle=1:bytes
MemCopyHandleList handles=1:repeated message
LoadModelRequest model_path=1:string replica_uuid=2:string chunks=3:map handles=4:map target_device_type=5:enum
LoadModelResponse model_path=1:string
ConfirmModelRequest model_path=1:string replica_uuid=2:string target_device_type=3:enum
ConfirmModelResponse model_path=1:string code=2:int32
UnloadModelRequest model_path=1:string replica_uuid=2:string target_device_type=3:enum
UnloadModelResponse model_path=1:string code=2:int32
ClearMemRequest
ClearMemResponse
`

func TestTheWireIsTheContracts(t *testing.T) {
	file := storagepb.File_collector_sllmstore_storagepb_storage_proto
	if file.Package() != "storage" {
		t.Errorf("package %s", file.Package())
	}
	got := map[string]string{}
	for i := range file.Messages().Len() {
		m := file.Messages().Get(i)
		line := string(m.Name())
		for j := range m.Fields().Len() {
			line += " " + describe(m.Fields().Get(j))
		}
		got[string(m.Name())] = line
	}
	want := strings.Split(strings.TrimSpace(contract), "\n")
	for _, line := range want {
		name, _, _ := strings.Cut(line, " ")
		if got[name] != line {
			t.Errorf("%s is %q, want %q", name, got[name], line)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d messages, want %d", len(got), len(want))
	}

	service := file.Services().ByName("Storage")
	methods := []string{"LoadModelAsync", "ConfirmModel", "UnloadModel", "ClearMem", "RegisterModel", "GetServerConfig"}
	if service.Methods().Len() != len(methods) {
		t.Errorf("%d methods, want %d", service.Methods().Len(), len(methods))
	}
	for _, name := range methods {
		m := service.Methods().ByName(protoreflect.Name(name))
		stem := strings.TrimSuffix(name, "Async")
		if m == nil || m.IsStreamingClient() || m.IsStreamingServer() || string(m.Input().Name()) != stem+"Request" || string(m.Output().Name()) != stem+"Response" {
			t.Errorf("method %s is %v", name, m)
		}
	}
	types := file.Enums().ByName("DeviceType").Values()
	for i, name := range []string{"DEVICE_TYPE_DISK", "DEVICE_TYPE_CPU", "DEVICE_TYPE_GPU"} {
		if v := types.ByName(protoreflect.Name(name)); v == nil || int(v.Number()) != i {
			t.Errorf("%s is %v, want %d", name, v, i)
		}
	}
}

func describe(f protoreflect.FieldDescriptor) string {
	kind := f.Kind().String()
	switch {
	case f.IsMap():
		kind = "map"
	case f.IsList():
		kind = "repeated " + kind
	}
	return fmt.Sprintf("%s=%d:%s", f.Name(), f.Number(), kind)
}
