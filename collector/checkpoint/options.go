package checkpoint

// Options is what of a layout can be chosen. The zero value is what the
// formats' own writers do.
type Options struct {
	// PartitionBytes is where a new sllm partition begins; 0 is 10 GiB.
	PartitionBytes int64
	// ShardBytes is where a new safetensors shard begins; 0 is 5 GB, and keeps
	// the files of a local safetensors folder as they are.
	ShardBytes int64
	// ReplicaMode is how replicas are made of the first; empty is auto.
	ReplicaMode ReplicaMode
}

// filled has the defaults in place of zeros.
func (o Options) filled() Options {
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
