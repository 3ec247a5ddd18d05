package checkpoint

// Options are the choices of a layout. The zero value follows the formats'
// usual writers.
type Options struct {
	// PartitionBytes is the most that an sllm partition holds; 0 means 10 GiB.
	PartitionBytes int64
	// ShardBytes is the most that a safetensors shard holds; 0 means 5 GB, and
	// keeps the files of a local safetensors folder as they are.
	ShardBytes int64
	// ReplicaMode is how replicas are copied from the first; empty means auto.
	ReplicaMode ReplicaMode
}

// withDefaults returns the options with defaults in place of zeros.
func (o Options) withDefaults() Options {
	if o.PartitionBytes <= 0 {
		o.PartitionBytes = defaultPartitionBytes
	}
	if o.ShardBytes <= 0 {
		o.ShardBytes = defaultShardBytes
	}
	if o.ReplicaMode == "" {
		o.ReplicaMode = ReplicaAuto
	}
	return o
}
