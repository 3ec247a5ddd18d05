package intake

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/warehouse/record"
)

// fioOutput is the output of fio 3 with --output-format=json, as far as it is
// needed.
type fioOutput struct {
	Version     string            `json:"fio version"`
	Timestamp   int64             `json:"timestamp"`    // seconds
	TimestampMS int64             `json:"timestamp_ms"` // the same in milliseconds, if present
	Global      map[string]string `json:"global options"`
	Jobs        []fioJob          `json:"jobs"`
}

// fioJob is a job or, with group_reporting, a group of jobs.
type fioJob struct {
	Name    string            `json:"jobname"`
	Group   int64             `json:"groupid"` // jobs of a group ran at the same time
	Error   int64             `json:"error"`
	Options map[string]string `json:"job options"`
	Read    struct {
		Bytes     int64 `json:"io_bytes"`
		Requests  int64 `json:"total_ios"`
		RuntimeMS int64 `json:"runtime"`
	} `json:"read"`
}

// isFio reports whether a text is fio's JSON, which warnings may precede.
func isFio(text []byte) bool {
	return bytes.Contains(text[:min(len(text), 64<<10)], []byte(`"fio version"`))
}

// maxFio bounds the bytes and requests of one job, so that sums cannot overflow.
const maxFio = 1 << 50

// parseFio makes a roofline of each group of jobs that bypassed the page cache:
// the sum of its jobs, which ran at the same time. IDs are derived from content and
// machine, so the same results are the same rooflines.
func parseFio(text []byte, o Options) ([]record.Roofline, error) {
	digest := sha256.Sum256(text)
	text = text[max(bytes.IndexByte(text, '{'), 0):]
	var out fioOutput
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&out); err != nil {
		return nil, fmt.Errorf("fio's JSON: %w", err)
	}
	at := o.At
	switch {
	case out.TimestampMS > 0:
		at = time.UnixMilli(out.TimestampMS)
	case out.Timestamp > 0:
		at = time.Unix(out.Timestamp, 0)
	}
	cached := 0 // jobs that the page cache may have served
	var order []int64
	groups := map[int64][]fioJob{}
	for _, j := range out.Jobs {
		if j.Error != 0 {
			return nil, fmt.Errorf("fio's job %q failed with error %d", j.Name, j.Error)
		}
		r := j.Read
		if option(j, out, "direct", "0") != "1" {
			cached++
			continue
		}
		if r.Bytes == 0 {
			continue
		}
		if r.Bytes < 0 || r.Bytes > maxFio || r.Requests <= 0 || r.Requests > r.Bytes || r.RuntimeMS <= 0 || r.RuntimeMS > maxFio {
			return nil, fmt.Errorf("fio's job %q read %d bytes in %d requests and %d ms, which is not a measurement", j.Name, r.Bytes, r.Requests, r.RuntimeMS)
		}
		if groups[j.Group] == nil {
			order = append(order, j.Group)
		}
		groups[j.Group] = append(groups[j.Group], j)
		if len(groups[j.Group]) > 4096 || len(order) > 4096 {
			return nil, errors.New("fio's JSON has more than 4096 jobs")
		}
	}
	switch {
	case len(order) == 0 && cached > 0:
		return nil, errors.New("fio read through the page cache, which does not measure the storage: run it with --direct=1")
	case len(order) == 0:
		return nil, errors.New("none of fio's jobs read anything")
	}
	var all []record.Roofline
	for _, g := range order {
		id := uuid.NewSHA1(space, fmt.Appendf(digest[:len(digest):len(digest)], "fio %d %s", g, o.machine()))
		r := roofline(groups[g], out)
		r.ID, r.MeasuredAt = id.String(), at.UTC()
		all = append(all, r)
	}
	return all, nil
}

// roofline sums up a group of jobs.
func roofline(jobs []fioJob, out fioOutput) record.Roofline {
	r := record.Roofline{Kind: "storage_read"}
	var requests, runtimeMS int64
	for _, j := range jobs {
		r.Bytes += j.Read.Bytes
		requests += j.Read.Requests
		runtimeMS = max(runtimeMS, j.Read.RuntimeMS)
	}
	number := func(name string) *int64 {
		n, err := strconv.ParseInt(option(jobs[0], out, name, "1"), 10, 32)
		if err != nil || n < 1 {
			return nil
		}
		return &n
	}
	r.DurationS = float64(runtimeMS) / 1000
	r.BandwidthBytesPerS = float64(r.Bytes) / r.DurationS
	r.IOSizeBytes = new(r.Bytes / requests)
	r.Depth = number("iodepth")
	if r.Threads = number("numjobs"); len(jobs) > 1 {
		r.Threads = new(int64(len(jobs)))
	}
	r.Method = new(fmt.Sprintf("%.32s %.32s %.32s, O_DIRECT", out.Version, option(jobs[0], out, "ioengine", "psync"), option(jobs[0], out, "rw", "read")))
	return r
}

// option is an option of a job, its own or a global one.
func option(j fioJob, out fioOutput, name, otherwise string) string {
	for _, options := range []map[string]string{j.Options, out.Global} {
		if v, ok := options[name]; ok {
			return v
		}
	}
	return otherwise
}
