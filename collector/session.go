package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/internal/size"
	"github.com/sllmq/sllmq/warehouse/record"
)

// closePatience is how long a worker may take to free its memory.
const closePatience = time.Minute

// session runs session number s: its steps in one worker process, or in further
// ones where a worker dies. A load that fails is a row; an error means that the
// run cannot continue.
func (r *run) session(ctx context.Context, s int) error {
	steps := r.planned.Sessions[s]
	what := fmt.Sprintf("measuring %s %s %s (%s)", r.row.Model, r.row.Format, r.row.BenchmarkType, r.row.Loader)
	if len(r.planned.Sessions) > 1 {
		what += fmt.Sprintf(", session %d of %d", s+1, len(r.planned.Sessions))
	}
	r.bench.progress.Begin(what, int64(len(steps)), Loads)
	defer r.bench.progress.End()
	ceiling, err := r.measureRoofline(ctx, steps)
	if err != nil {
		return err
	}
	for len(steps) > 0 {
		done, err := r.process(ctx, steps, ceiling)
		if err != nil {
			return err
		}
		steps = steps[done:]
	}
	return nil
}

// process runs steps in one worker process until all are done or the worker
// ends. It returns how many are done.
func (r *run) process(ctx context.Context, steps []Step, ceiling ceiling) (done int, err error) {
	p := &process{run: r, number: r.processes, ceiling: ceiling}
	r.processes++
	usedBefore, others := sum(r.gpus, machine.GPU.UsedBytes), sum(r.gpus, machine.GPU.Processes)
	p.worker, err = r.start(ctx)
	if ctx.Err() != nil {
		if err == nil {
			err = p.worker.Close(closePatience)
		}
		return 0, errors.Join(ctx.Err(), err)
	}
	if err != nil {
		// It would not start for the next load either.
		err = fmt.Errorf("the worker did not start (loads skipped: %d): %w", len(steps), err)
		return len(steps), p.keep(measured{step: steps[0], outcome: worker.Failed(err)})
	}
	defer func() {
		err = p.end(err)
		r.warnLeftMemory(usedBefore)
	}()
	session := p.worker.Session
	session.RunID, session.Session = r.row.ID, p.number
	session.DeviceMemoryBeforeBytes, session.GPUOtherProcesses = usedBefore, others
	if err := r.bench.append(record.Batch{Sessions: []record.Session{session}}); err != nil {
		return 0, err
	}
	if session.PoolLocked != nil && !*session.PoolLocked && !r.bench.warnedUnlocked {
		r.bench.warnedUnlocked = true
		r.bench.progress.Note("the pool is not page-locked: " + *session.PoolLockReason)
	}
	p.sampler = startSampler(r.row.ID, int(*session.PID), r.planned.Checkpoint.Dirs[0], r.gpus)
	for i, step := range steps {
		m, err := p.measure(ctx, step)
		if m.outcome == nil {
			return i, err
		}
		if err := errors.Join(err, p.keep(m)); err != nil {
			return i + 1, err
		}
		if p.gone || m.outcome.Over {
			return i + 1, nil
		}
		r.bench.progress.Add(1)
	}
	return len(steps), nil
}

// process is a worker process of a session.
type process struct {
	run     *run
	number  int64
	ceiling ceiling
	worker  *worker.Process
	gone    bool // the worker died or was killed
	sampler *sampler
}

// end closes the worker, keeps the last samples, and returns the error that the
// process ends with, given the one so far. A worker that does not close as it
// should is only worth a note, unless something else went wrong.
func (p *process) end(err error) error {
	if !p.gone {
		closeErr := p.worker.Close(closePatience)
		switch {
		case closeErr == nil:
		case err != nil:
			err = errors.Join(err, closeErr)
		default:
			p.run.bench.progress.Note(closeErr.Error())
		}
	}
	if p.sampler == nil {
		return err
	}
	p.sampler.stop()
	p.sampler.lookAtGPUs(time.Now().UTC())
	if rows := p.sampler.take(); len(rows) > 0 {
		err = errors.Join(err, p.run.bench.append(record.Batch{Samples: rows}))
	}
	return err
}

// measured is one step, done.
type measured struct {
	step    Step
	outcome *worker.Outcome
	text    *record.Inference // nil: none was generated
}

// measure does one load and generates the text that its step asks for. A worker
// that dies is an outcome, or a text, with an error; measure itself fails only if
// ctx ends, with an outcome if the load was measured before that.
func (p *process) measure(ctx context.Context, step Step) (measured, error) {
	m := measured{step: step}
	planned := p.run.planned
	dir := planned.Checkpoint.Dirs[step.Replica]
	files := p.run.files(dir)
	touched := p.run.touchMemory(ctx, files)
	outcome, err := p.worker.Load(ctx, worker.Load{
		Dir:    dir,
		Files:  files,
		Drop:   planned.PageCache == PageCacheDrop,
		Verify: step.Verify,
		Trace:  planned.IOTrace,
		Keep:   step.Generate,
	}, planned.LoadTimeout)
	p.gone = err != nil
	if ctx.Err() != nil {
		return m, errors.Join(ctx.Err(), err)
	}
	if err != nil {
		outcome = worker.Failed(err)
	}
	outcome.Load.MemoryTouchedBytes = touched
	m.outcome = outcome
	if !step.Generate || outcome.Load.Error != nil {
		return m, nil
	}
	ask := planned.Generate
	ask.Dir = dir
	m.text, err = p.worker.Generate(ctx, ask, planned.GenerateTimeout)
	p.gone = err != nil
	switch {
	case ctx.Err() != nil:
		m.text = nil
		return m, errors.Join(ctx.Err(), err)
	case err != nil:
		m.text = ask.FailedText(err)
	}
	return m, nil
}

// keep appends the rows of a load.
func (p *process) keep(m measured) error {
	r := p.run
	seq := r.seq
	r.seq++
	rows := record.Batch{Loads: []record.Load{m.outcome.Load}, Stages: m.outcome.Stages, IOTraces: m.outcome.IOTrace}
	load := &rows.Loads[0]
	load.RunID, load.Seq, load.Session = r.row.ID, seq, p.number
	load.Replica, load.Warmup = int64(m.step.Replica), m.step.Warmup
	p.ceiling.fill(load)
	for i := range rows.Stages {
		rows.Stages[i].RunID, rows.Stages[i].Seq = r.row.ID, seq
	}
	for i := range rows.IOTraces {
		rows.IOTraces[i].RunID, rows.IOTraces[i].Seq = r.row.ID, seq
	}
	if p.sampler != nil {
		p.sampler.describe(load)
		rows.Samples = p.sampler.take()
	}
	failure := load.Error
	if m.text != nil {
		m.text.RunID, m.text.Seq = r.row.ID, seq
		r.bench.compareTokens(r.planned.Arm, m.text)
		if r.noteUnsupported(m.text); failure == nil {
			failure = m.text.Error
		}
		rows.Inferences = []record.Inference{*m.text}
	}
	r.bench.result.Loads++
	if failure != nil {
		r.failed++
		r.bench.result.Failed++
		r.bench.progress.Note(fmt.Sprintf("load %d of %s %s failed: %s", seq, r.row.Model, r.row.Format, *failure))
	}
	return r.bench.append(rows)
}

// noteUnsupported notes, once per run, why no text is generated.
func (r *run) noteUnsupported(text *record.Inference) {
	if text.Unsupported == nil || r.notedUnsupported {
		return
	}
	r.notedUnsupported = true
	r.bench.progress.Note(fmt.Sprintf("%s %s: no text is generated: %s", r.row.Model, r.row.Format, *text.Unsupported))
}

// leftGPUMemory is how much more of a GPU may be in use after a worker than
// before it: the driver keeps some for itself.
const leftGPUMemory = 64 << 20

// warnLeftMemory warns if a worker that has ended left something in the GPUs'
// memory, of which usedBefore was in use before it.
func (r *run) warnLeftMemory(usedBefore *int64) {
	after := sum(r.gpus, machine.GPU.UsedBytes)
	if usedBefore != nil && after != nil && *after > *usedBefore+leftGPUMemory {
		r.bench.progress.Note(fmt.Sprintf("the worker has ended, but %s more of %s's memory is in use than before it: nvidia-smi lists the processes",
			size.Binary(*after-*usedBefore), r.row.Device))
	}
}

// textSource is what determines a generated text, besides the prompt and its
// settings: the same weights must give the same tokens, whatever loader and format
// brought them, but engines and devices may round differently.
type textSource struct{ model, engine, device string }

// generation is the text of one load.
type generation struct {
	tokens string // digest of their IDs
	run    string
	seq    int64
}

// compareTokens compares a text's token IDs with the first ones from the same
// source, and makes a difference the text's error.
func (b *benchmark) compareTokens(arm record.Arm, text *record.Inference) {
	if text.TokenIDsSHA256 == nil || text.Error != nil || text.Device == nil {
		return
	}
	source := textSource{arm.Model, arm.Engine, *text.Device}
	here := generation{*text.TokenIDsSHA256, text.RunID, text.Seq}
	first, ok := b.generations[source]
	switch {
	case !ok:
		b.generations[source] = here
	case first.tokens != here.tokens:
		text.Error = new(fmt.Sprintf("the token IDs differ from those of load %d of run %s: the tensors or the machine are wrong", first.seq, first.run))
	}
}
