package collector

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/internal/size"
)

// Programs of stores.
const (
	OwnStore     = "sllmq"      // sllmq store serve
	upstreamName = "sllm-store" // ServerlessLLM's
)

// storeTimeout is how long a store that runs may take to say what it is.
const storeTimeout = 10 * time.Second

// askStore fills in the store that loads are attached to, if one of the pairs
// is its client: what it can't do is said before anything is written.
func (c *Config) askStore(pairs []technique, devices []string) error {
	for _, pair := range pairs {
		if !pair.loader.Served || c.StoreAddress == "" {
			continue
		}
		store, err := client.Dial(c.StoreAddress)
		if err != nil {
			return err
		}
		defer store.Close()
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		server, err := store.Describe(ctx)
		if err != nil {
			return fmt.Errorf("--store-address %s: %w: start it, or leave the flag out, and one is started", c.StoreAddress, err)
		}
		for _, device := range devices {
			if err := loader.Suits(server, device, c.StoreAddress); err != nil {
				return fmt.Errorf("--store-address: %w", err)
			}
		}
		c.store = &server
		return nil
	}
	return nil
}

// fitStore holds a replica against the pool of the store that runs.
func (c Config) fitStore(made checkpoint.Plan) error {
	chunk := c.store.ChunkBytes
	if chunk <= 0 {
		return nil // it does not say
	}
	if one := poolBytes(made, chunk); one > c.store.PoolBytes {
		return fmt.Errorf("%s takes %s of pool in chunks of %s, and the store at %s has %s: start it with a larger --mem-pool-size, or use a smaller model",
			made.Model.Name, size.Binary(one), size.Exact(chunk), c.StoreAddress, size.Binary(c.store.PoolBytes))
	}
	return nil
}

// serve says which store an arm's worker is a client of. A Program that is
// empty is sllmq's own.
func (c Config) serve(arm *Arm) (notes []string, err error) {
	s := &worker.Store{
		Address: c.StoreAddress, StoragePath: c.StoragePath, Log: c.StoreLog,
		// The worker has to be quicker than whoever waits for it.
		StartTimeoutS: (arm.StartTimeout * 9 / 10).Seconds(),
		LoadTimeoutS:  (arm.LoadTimeout - min(arm.LoadTimeout/5, 30*time.Second)).Seconds(),
	}
	arm.Worker.Store = s
	if s.Address != "" {
		return nil, nil
	}
	name := c.StoreProgram
	switch {
	case name == OwnStore:
		return nil, nil
	case name == "" && arm.Device == hostDevice:
		// ServerlessLLM's has no way to memory of the host.
		return nil, nil
	case name == "":
		name = upstreamName
	}
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	switch {
	case err == nil:
		s.Program = []string{path, "start"}
		return []string{fmt.Sprintf("loader store: %s is started for each session; its log is %s", path, c.StoreLog)}, nil
	case c.StoreProgram == "":
		return []string{"loader store: there is no sllm-store on the PATH, so sllmq's own is started"}, nil
	default:
		return nil, fmt.Errorf("--store-program %s: %w (pip install serverless-llm-store brings sllm-store; sllmq is sllmq's own)", name, err)
	}
}
