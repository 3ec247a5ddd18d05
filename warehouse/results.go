package warehouse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// results is a raw file of the reference benchmark: what its name and its
// content say, held against each other.
type results struct {
	model, format, benchmarkType string
	replicas                     int64
	loads                        []resultLoad
}

// resultLoad is one object of the file's array. Fields that are not known are
// passed over.
type resultLoad struct {
	ModelName    string   `json:"model_name"` // the model's id, "_", the replica's number
	LoadingTime  float64  `json:"loading_time"`
	EndToEndTime *float64 `json:"end_to_end_time"`
	Throughput   *float64 `json:"throughput"`
	OutputText   *string  `json:"output_text"`

	replica int64
}

// resultsName is {model}_{format}_{replicas}_{type}.json, where "/" in the
// model's name is "_"; results of 2024 call sllm phantom.
var resultsName = regexp.MustCompile(`^(.+)_(sllm|phantom|safetensors)_([0-9]{1,6})_(random|cached)\.json$`)

// maxResults is how many loads a file may have.
const maxResults = 1_000_000

func parseResults(name string, text []byte) (results, error) {
	m := resultsName.FindStringSubmatch(name)
	if m == nil {
		return results{}, errors.New("its name is not MODEL_FORMAT_REPLICAS_TYPE.json with format sllm, phantom or safetensors and type random or cached")
	}
	replicas, err := strconv.ParseInt(m[3], 10, 64)
	if err != nil {
		return results{}, fmt.Errorf("the number of replicas in its name: %w", err)
	}
	r := results{format: m[2], replicas: replicas, benchmarkType: m[4]}
	if r.format == "phantom" {
		r.format = "sllm"
	}
	if r.loads, err = decodeLoads(text); err != nil {
		return results{}, err
	}
	if len(r.loads) == 0 {
		return results{}, errors.New("it holds no load")
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
			return results{}, fmt.Errorf("load %d is of model %q and those before it of %q", i+1, model, r.model)
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
			return fmt.Errorf("%s %v is no measurement", v.name, *v.value)
		}
	}
	if l.LoadingTime <= 0 {
		return errors.New("loading_time is missing or zero")
	}
	return nil
}

// decodeLoads reads the array; an error says the line and column.
func decodeLoads(text []byte) ([]resultLoad, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	var loads []resultLoad
	token, err := d.Token()
	if err == nil && token != json.Delim('[') {
		err = errors.New("it is no JSON array of loads")
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
			err = errors.New("there is more after the array")
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
		offset, err = int64(len(text)), errors.New("the JSON ends too early")
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
