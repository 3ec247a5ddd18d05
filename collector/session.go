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

// closePatience is how long a worker may take to give its memory back.
const closePatience = time.Minute

// session runs the steps of session number s in one worker process, or in
// another where one dies. A load that fails is a row; only what keeps the run
// from going on is an error.
func (r *run) session(ctx context.Context, s int) error {
	steps := r.arm.Sessions[s]
	what := fmt.Sprintf("measuring %s %s %s (%s)", r.row.Model, r.row.Format, r.row.BenchmarkType, r.row.Loader)
	if len(r.arm.Sessions) > 1 {
		what += fmt.Sprintf(", session %d of %d", s+1, len(r.arm.Sessions))
	}
	r.progress.Begin(what, int64(len(steps)), Loads)
	defer r.progress.End()
	if err := r.measureRoofline(ctx, r.sessions, steps); err != nil {
		return err
	}
	for len(steps) > 0 {
		done, err := r.process(ctx, steps)
		if err != nil {
			return err
		}
		steps = steps[done:]
	}
	return nil
}

// process runs steps in one worker process until they are done or it dies, and
// returns how many are done with.
func (r *run) process(ctx context.Context, steps []Step) (done int, err error) {
	number := r.sessions
	r.sessions++
	before, others := sum(r.gpus, machine.GPU.UsedBytes), sum(r.gpus, machine.GPU.Processes)
	w, err := r.start(ctx)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		// One that can't start will not start for the next load either.
		return len(steps), r.keep(number, steps[0], &worker.Outcome{
			StartedAt: time.Now().UTC(),
			Error:     fmt.Sprintf("the worker did not start, and %d loads are given up: %v", len(steps), err),
		}, nil)
	}
	if w.Ready.PoolLocked != nil && !*w.Ready.PoolLocked && !r.toldUnlocked {
		r.toldUnlocked = true
		r.progress.Note("the pool is not page-locked: " + w.Ready.LockReason)
	}
	session := sessionRow(r.row.ID, number, w)
	session.DeviceMemoryBeforeBytes, session.GPUOtherProcesses = before, others
	if err := r.append(record.Batch{Sessions: []record.Session{session}}); err != nil {
		return 0, errors.Join(err, w.Close(closePatience))
	}
	r.sampler = startSampler(r.row.ID, w.Ready.PID, r.arm.Checkpoint.Dirs[0], r.gpus)
	defer func() {
		r.sampler.stop()
		r.sampler.lookAtGPUs(time.Now().UTC())
		r.tellLeft(before)
		if rows := r.sampler.take(); len(rows) > 0 {
			err = errors.Join(err, r.append(record.Batch{Samples: rows}))
		}
		r.sampler = nil
	}()
	for i, step := range steps {
		dir := r.arm.Checkpoint.Dirs[step.Replica]
		files := r.open(dir)
		touched := r.touchMemory(ctx, files)
		outcome, err := w.Load(ctx, worker.Load{
			Dir:    dir,
			Files:  files,
			Drop:   r.arm.PageCache == PageCacheDrop,
			Verify: step.Verify,
			Trace:  r.plan.Config.IOTrace,
			Keep:   step.Generate,
		}, r.arm.LoadTimeout)
		if ctx.Err() != nil {
			if err == nil {
				err = w.Close(closePatience)
			}
			return i, errors.Join(ctx.Err(), err)
		}
		dead := err != nil
		if dead {
			outcome = &worker.Outcome{StartedAt: time.Now().UTC(), Error: err.Error()}
		}
		outcome.MemoryTouchedBytes = touched
		var generated *worker.Generated
		if step.Generate && outcome.Error == "" {
			if generated, dead, err = r.generate(ctx, w, dir); err != nil {
				// The load is measured, whatever became of its text.
				return i + 1, errors.Join(err, r.keep(number, step, outcome, nil))
			}
		}
		if err := r.keep(number, step, outcome, generated); err != nil {
			if dead {
				return i, err
			}
			return i, errors.Join(err, w.Close(closePatience))
		}
		if outcome.Over {
			// Another worker goes on.
			if err := w.Close(closePatience); err != nil {
				r.progress.Note(err.Error())
			}
		}
		if dead || outcome.Over {
			return i + 1, nil
		}
		r.progress.Add(1)
	}
	if err := w.Close(closePatience); err != nil {
		r.progress.Note(err.Error())
	}
	return len(steps), nil
}

// leftGPUMemory is how much more of a GPU than before may be in use when a
// worker is gone: the driver keeps some for itself.
const leftGPUMemory = 64 << 20

// tellLeft says it when a worker that is gone left something in the GPUs'
// memory, which was in use so far before.
func (r *run) tellLeft(before *int64) {
	after := sum(r.gpus, machine.GPU.UsedBytes)
	if before != nil && after != nil && *after > *before+leftGPUMemory {
		r.progress.Note(fmt.Sprintf("the worker is gone, and %s of %s's memory are in use that were not before it: nvidia-smi lists by whom",
			size.Binary(*after-*before), r.arm.Device))
	}
}

// generate lets the worker go on with the prompt. A worker that dies of it is
// told in what it would have generated.
func (r *run) generate(ctx context.Context, w *worker.Process, dir string) (g *worker.Generated, dead bool, err error) {
	ask := r.arm.Generate
	ask.Dir = dir
	g, err = w.Generate(ctx, ask, r.arm.GenerateTimeout)
	if ctx.Err() != nil {
		if err == nil {
			err = w.Close(closePatience)
		}
		return nil, true, errors.Join(ctx.Err(), err)
	}
	if err != nil {
		return &worker.Generated{Prompt: ask.Prompt, Error: err.Error()}, true, nil
	}
	if g.Unsupported != "" && !r.toldUnsupported {
		r.toldUnsupported = true
		r.progress.Note(fmt.Sprintf("%s %s: no text is generated: %s", r.row.Model, r.row.Format, g.Unsupported))
	}
	return g, false, nil
}

// compareTokens holds a load's token ids against those of the first load of
// the model by the same engine on the same device: the same weights have to say
// the same, whatever brought them. Engines and devices may round otherwise.
func (r *run) compareTokens(seq int64, g *worker.Generated) {
	if g == nil || g.TokenIDsSHA256 == "" || g.Error != "" {
		return
	}
	here := generation{g.TokenIDsSHA256, r.row.ID, seq}
	of := fmt.Sprintf("%s by %s on %s", r.arm.Checkpoint.Model.Name, r.arm.Engine, g.Device)
	first, ok := r.generations[of]
	switch {
	case !ok:
		r.generations[of] = here
	case first.tokens != here.tokens:
		g.Error = fmt.Sprintf("the token ids are not those that load %d of run %s gave: the tensors or the machine are wrong", first.seq, first.run)
	}
}

// keep appends a load's rows.
func (r *run) keep(session int64, step Step, o *worker.Outcome, g *worker.Generated) error {
	seq := r.seq
	r.seq++
	r.compareTokens(seq, g)
	r.result.Loads++
	failure := o.Error
	if failure == "" && g != nil && g.Error != "" {
		failure = g.Error
	}
	if failure != "" {
		r.failed++
		r.result.Failed++
		r.progress.Note(fmt.Sprintf("load %d of %s %s failed: %s", seq, r.row.Model, r.row.Format, failure))
	}
	rows := loadRows(r.row.ID, seq, session, step, o, r.open(r.arm.Checkpoint.Dirs[step.Replica]))
	r.ceiling.bound(&rows.Loads[0], o)
	if r.sampler != nil {
		r.sampler.describe(&rows.Loads[0])
		rows.Samples = r.sampler.take()
	}
	if g != nil {
		rows.Inferences = append(rows.Inferences, inferenceRow(r.row.ID, seq, r.arm.Generate, g))
	}
	return r.append(rows)
}
