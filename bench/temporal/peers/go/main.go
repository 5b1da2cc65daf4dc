// SPDX-License-Identifier: Apache-2.0

// The shape of fhirline's workflow IngestZip with the Go SDK, with activities that do nothing: Begin, Look, a page of patients, groups of
// ten of them at once, Merge, Sweep, Reconcile. Inputs and results are those of fhirline (src/workflow/wire.h).
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

type Input struct {
	Version          int    `json:"version"`
	Run              string `json:"run"`
	Zip              string `json:"zip"`
	Activities       int    `json:"activities"`
	PatientsPerBatch int    `json:"patients_per_batch"`
	HeartbeatMs      int    `json:"heartbeat_ms"`
	Attempts         int    `json:"attempts"`
}

type Call struct {
	Run      string `json:"run"`
	Epoch    int    `json:"epoch,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	Page     int    `json:"page,omitempty"`
	First    int    `json:"first,omitempty"`
	Patients int    `json:"patients,omitempty"`
}

type Begun struct {
	Epoch       int      `json:"epoch"`
	Incremental bool     `json:"incremental"`
	Cancelled   bool     `json:"cancelled"`
	Phase       string   `json:"phase"`
	Batches     []string `json:"batches"`
}

type Batch struct {
	State    string `json:"state"`
	Rows     int    `json:"rows"`
	Patients int    `json:"patients"`
	More     bool   `json:"more"`
}

type Merged struct {
	Rows    int    `json:"rows"`
	Merged  string `json:"merged"`
	Merging string `json:"merging"`
	Pending string `json:"pending"`
}

type Report struct {
	State string `json:"state"`
}

func IngestZip(ctx workflow.Context, in Input) (Report, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 24 * time.Hour,
		HeartbeatTimeout:    time.Duration(in.HeartbeatMs) * time.Millisecond,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2,
			MaximumInterval: 30 * time.Second, MaximumAttempts: int32(in.Attempts + 16)},
	})
	var begun Begun
	var report Report
	if err := workflow.ExecuteActivity(ctx, "Begin", Call{Run: in.Run}).Get(ctx, &begun); err != nil {
		return report, err
	}
	call := Call{Run: in.Run, Epoch: begun.Epoch}
	if err := workflow.ExecuteActivity(ctx, "Look", call).Get(ctx, nil); err != nil {
		return report, err
	}
	var page Batch
	if err := workflow.ExecuteActivity(ctx, "ReadPatientPage", Call{Run: in.Run, Epoch: begun.Epoch, Batch: 1}).Get(ctx, &page); err != nil {
		return report, err
	}
	room := workflow.NewSemaphore(ctx, int64(in.Activities))
	group := workflow.NewWaitGroup(ctx)
	for first, seq := 0, 2; first < page.Patients; first, seq = first+in.PatientsPerBatch, seq+1 {
		if err := room.Acquire(ctx, 1); err != nil {
			return report, err
		}
		group.Add(1)
		batch := Call{Run: in.Run, Epoch: begun.Epoch, Batch: seq, Page: 1, First: first, Patients: in.PatientsPerBatch}
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer group.Done()
			defer room.Release(1)
			var got Batch
			_ = workflow.ExecuteActivity(ctx, "ReadObservations", batch).Get(ctx, &got)
		})
	}
	group.Wait(ctx)
	var merged Merged
	if err := workflow.ExecuteActivity(ctx, "Merge", call).Get(ctx, &merged); err != nil {
		return report, err
	}
	if err := workflow.ExecuteActivity(ctx, "Sweep", call).Get(ctx, nil); err != nil {
		return report, err
	}
	err := workflow.ExecuteActivity(ctx, "Reconcile", call).Get(ctx, &report)
	return report, err
}

type quiet struct{}

func (quiet) Debug(string, ...interface{}) {}
func (quiet) Info(string, ...interface{})  {}
func (quiet) Warn(string, ...interface{})  {}
func (quiet) Error(m string, kv ...interface{}) {
	fmt.Fprintln(os.Stderr, append([]interface{}{m}, kv...)...)
}

var _ log.Logger = quiet{}

func name(n string) activity.RegisterOptions { return activity.RegisterOptions{Name: n} }

func main() {
	c, err := client.Dial(client.Options{HostPort: os.Args[1], Logger: quiet{}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer c.Close()
	w := worker.New(c, os.Args[2], worker.Options{
		MaxConcurrentActivityTaskPollers: 4, MaxConcurrentWorkflowTaskPollers: 4, MaxConcurrentActivityExecutionSize: 16,
	})
	w.RegisterWorkflowWithOptions(IngestZip, workflow.RegisterOptions{Name: "IngestZip"})
	w.RegisterActivityWithOptions(func(context.Context, Call) (Begun, error) {
		return Begun{Epoch: 1, Phase: "look", Batches: []string{}}, nil
	}, name("Begin"))
	w.RegisterActivityWithOptions(func(context.Context, Call) error { return nil }, name("Look"))
	w.RegisterActivityWithOptions(func(context.Context, Call) (Batch, error) {
		return Batch{"staged", 100, 100, false}, nil
	}, name("ReadPatientPage"))
	w.RegisterActivityWithOptions(func(context.Context, Call) (Batch, error) {
		return Batch{"staged", 4700, 10, false}, nil
	}, name("ReadObservations"))
	w.RegisterActivityWithOptions(func(context.Context, Call) (Merged, error) {
		return Merged{Rows: 47100, Merged: "1-1000"}, nil
	}, name("Merge"))
	w.RegisterActivityWithOptions(func(context.Context, Call) error { return nil }, name("Sweep"))
	w.RegisterActivityWithOptions(func(context.Context, Call) (Report, error) { return Report{"completed"}, nil }, name("Reconcile"))
	if err := w.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ready")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	w.Stop()
}
