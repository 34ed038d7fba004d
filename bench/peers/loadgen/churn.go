package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"time"
)

type churnResult struct {
	Sockets int                `json:"sockets"`
	Seconds float64            `json:"seconds"`
	PerS    float64            `json:"churn_per_s"`
	P50     float64            `json:"p50_ms"`
	P99     float64            `json:"p99_ms"`
	Errors  map[string]int     `json:"errors"`
	CPU     map[string]float64 `json:"cpu"`
}

// churnRun subscribes on each socket, waits for the first message, completes, and subscribes again with a new id.
type churnRun struct {
	pool        *socketPool
	subscribe   json.RawMessage
	sent        []time.Time // by number of the socket
	used        int
	isMeasuring bool
	latencies   latencies
}

func runChurn(args []string) any {
	runtime.LockOSThread()
	flags := flag.NewFlagSet("churn", flag.ExitOnError)
	var op operation
	var watch words
	op.register(flags, fanoutQuery, "")
	poolFlags := registerPool(flags)
	count := flags.Int("sockets", 64, "number of sockets, each with one subscription at a time")
	duration := flags.Duration("duration", 5*time.Second, "measured time")
	warmup := flags.Duration("warmup", time.Second, "time before the measurement")
	flags.Var(&watch, "watch", "process to account for, `name=pid`; may be repeated")
	_ = flags.Parse(args)

	run := &churnRun{pool: poolFlags.pool(), subscribe: op.payload(), sent: make([]time.Time, *count)}
	run.pool.onConnected, run.pool.onText = run.start, run.onText
	run.pool.openAll(*count)
	run.pool.serve(*warmup, never)
	procs := parseProcesses(watch)
	cpu, start := procs.cpuSeconds(), time.Now()
	run.isMeasuring = true
	run.pool.serve(*duration, never)
	elapsed := time.Since(start)
	run.pool.closeAll()
	tail := run.latencies.ms(50, 99)
	return churnResult{
		Sockets: *count, Seconds: round(elapsed.Seconds(), 2), Errors: run.pool.failures,
		PerS: round(float64(len(run.latencies))/elapsed.Seconds(), 0), P50: tail[0], P99: tail[1],
		CPU: share(cpu, procs.cpuSeconds(), elapsed),
	}
}

func (r *churnRun) start(s *socket) {
	r.used++
	s.id = strconv.Itoa(r.used)
	r.sent[s.number] = time.Now()
	r.pool.subscribe(s, r.subscribe)
}

func (r *churnRun) onText(s *socket, text []byte) {
	id, found := findText(text, []string{"id"})
	switch {
	case !found:
		r.pool.control(s, text)
	case id != s.id: // a change that was on its way when the subscription was completed
	case !bytes.Contains(text, []byte(`"next"`)) || bytes.Contains(text, []byte(`"errors"`)):
		r.pool.fail(fmt.Sprintf("bad message: %.200s", text))
	default:
		r.pool.markReady(s)
		if r.isMeasuring {
			r.latencies.add(time.Since(r.sent[s.number]))
		}
		r.pool.send(s, clientFrame(opText, []byte(`{"id":"`+s.id+`","type":"complete"}`)))
		r.start(s)
	}
}
