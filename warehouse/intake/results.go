package intake

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/warehouse/record"
)

// results is a raw file of ServerlessLLM's benchmark, its name and content checked
// against each other.
type results struct {
	model, format, benchmarkType string
	replicas                     int64
	loads                        []resultLoad
}

// resultLoad is one object of the file's array. Unknown fields are ignored.
type resultLoad struct {
	ModelName    string   `json:"model_name"` // the model's ID, "_", the replica's number
	LoadingTime  float64  `json:"loading_time"`
	EndToEndTime *float64 `json:"end_to_end_time"`
	Throughput   *float64 `json:"throughput"`
	OutputText   *string  `json:"output_text"`

	replica int64
}

// resultsName matches {model}_{format}_{replicas}_{type}.json, with "_" for "/" in
// the model's name. Results of 2024 call sllm phantom.
var resultsName = regexp.MustCompile(`^(.+)_(sllm|phantom|safetensors)_([0-9]{1,6})_(random|cached)\.json$`)

// maxResults bounds the loads of a file.
const maxResults = 1_000_000

func parseResults(name string, text []byte) (results, error) {
	m := resultsName.FindStringSubmatch(name)
	if m == nil {
		return results{}, errors.New("its name is not MODEL_FORMAT_REPLICAS_TYPE.json with format sllm, phantom or safetensors and type random or cached")
	}
	replicas, err := strconv.ParseInt(m[3], 10, 64)
	if err != nil {
		return results{}, fmt.Errorf("number of replicas in its name: %w", err)
	}
	r := results{format: m[2], replicas: replicas, benchmarkType: m[4]}
	if r.format == "phantom" {
		r.format = "sllm"
	}
	if r.loads, err = decodeLoads(text); err != nil {
		return results{}, err
	}
	if len(r.loads) == 0 {
		return results{}, errors.New("it holds no loads")
	}
	for i := range r.loads {
		l := &r.loads[i]
		if err := l.check(); err != nil {
			return results{}, fmt.Errorf("load %d: %w", i+1, err)
		}
		model, number, ok := cutLast(l.ModelName, "_")
		if l.replica, err = strconv.ParseInt(number, 10, 32); !ok || err != nil || l.replica < 0 {
			return results{}, fmt.Errorf("load %d: model_name %q does not end with _ and a replica's number", i+1, l.ModelName)
		}
		if i > 0 && model != r.model {
			return results{}, fmt.Errorf("load %d has model %q, the loads before it %q", i+1, model, r.model)
		}
		r.model = model
	}
	if strings.ReplaceAll(r.model, "/", "_") != m[1] {
		return results{}, fmt.Errorf("its name says model %q and its loads say %q", m[1], r.model)
	}
	return r, nil
}

func (l *resultLoad) check() error {
	for _, v := range []struct {
		name  string
		value *float64
	}{{"loading_time", &l.LoadingTime}, {"end_to_end_time", l.EndToEndTime}, {"throughput", l.Throughput}} {
		if v.value != nil && (*v.value < 0 || math.IsInf(*v.value, 0) || math.IsNaN(*v.value)) {
			return fmt.Errorf("%s %v is not a measurement", v.name, *v.value)
		}
	}
	if l.LoadingTime <= 0 {
		return errors.New("loading_time is missing or zero")
	}
	return nil
}

// decodeLoads reads the array. An error names the line and column.
func decodeLoads(text []byte) ([]resultLoad, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	var loads []resultLoad
	token, err := d.Token()
	if err == nil && token != json.Delim('[') {
		err = errors.New("it is not a JSON array of loads")
	}
	for err == nil && d.More() {
		var l resultLoad
		if err = d.Decode(&l); err == nil {
			loads = append(loads, l)
		}
		if len(loads) > maxResults {
			err = fmt.Errorf("it has more than %d loads", maxResults)
		}
	}
	if err == nil {
		_, err = d.Token() // the closing bracket
	}
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("text follows the array")
		}
	}
	if err == nil {
		return loads, nil
	}
	offset := d.InputOffset()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		offset, err = int64(len(text)), errors.New("the JSON is cut off")
	}
	before := text[:min(max(offset, 0), int64(len(text)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return nil, fmt.Errorf("line %d, column %d: %w", line, column, err)
}

func cutLast(s, separator string) (before, after string, ok bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// space is the namespace of the IDs of imported runs and rooflines (RFC 9562,
// version 5): the same content from the same machine has the same IDs.
var space = uuid.MustParse("6a1ee1f4-6d41-5c11-9a55-0d9fb0a0c3f7")

// batch is the file as rows. The file has no times for its loads: they start a
// microsecond apart from the run's start, which keeps their order.
func (r results) batch(name string, digest [sha256.Size]byte, o Options) record.Batch {
	machine := o.machine()
	id := uuid.NewSHA1(space, append(digest[:], machine...)).String()
	engineLoader := map[string]string{"sllm": "store", "safetensors": "mmap"}
	run := record.Run{
		ID:           id,
		CollectID:    id,
		MachineID:    machineID(machine),
		StartedAt:    o.At,
		EndedAt:      &o.At,
		Status:       record.StatusCompleted,
		Arm:          record.Arm{Machine: machine, Model: r.model, BenchmarkType: r.benchmarkType, Format: r.format, Engine: "transformers", Loader: engineLoader[r.format], Device: "cuda:0"},
		ModelSource:  "imported",
		DType:        new("float16"), // the only type that the benchmark saves and loads
		NumReplicas:  r.replicas,
		Sessions:     1,
		ImportFile:   &name,
		ImportSHA256: new(hex.EncodeToString(digest[:])),
		Tags:         maps.Clone(o.Tags),
	}
	b := record.Batch{
		Machines: []record.Machine{importedMachine(o)},
		Runs:     []record.Run{run},
	}
	for i, l := range r.loads {
		seq := int64(i)
		b.Loads = append(b.Loads, record.Load{RunID: id, Seq: seq, StartedAt: o.At.Add(time.Duration(i) * time.Microsecond), Replica: l.replica, LoadingTimeS: &l.LoadingTime})
		b.Inferences = append(b.Inferences, record.Inference{RunID: id, Seq: seq, EndToEndTimeS: l.EndToEndTime, ThroughputTokensS: l.Throughput, OutputText: l.OutputText})
	}
	return b
}
