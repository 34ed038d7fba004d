package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"
)

const (
	holdQuery = `mutation Hold($input: HoldTicketsInput!) { holdTickets(input: $input) ` +
		`{ __typename ... on Hold { id expiresAt } ... on SoldOutError { message available } } }`
	holdVariables = `{"input": {"concertId": "c1", "lines": [{"tierId": "t1", "quantity": 1}], ` +
		`"idempotencyKey": "__UNIQUE__"}}`
	holdMark = "__HOLD__"
)

type holdResult struct {
	Connections int                   `json:"connections"`
	Seconds     float64               `json:"seconds"`
	ReqPerS     float64               `json:"req_per_s"`
	P50         float64               `json:"p50_ms"`
	P99         float64               `json:"p99_ms"`
	Max         float64               `json:"max_ms"`
	Errors      map[string]int        `json:"errors"`
	Good        int                   `json:"good_in_all"` // outside the measured time too
	Released    int                   `json:"released_in_all"`
	ReleasesPer float64               `json:"releases_per_s"`
	CPU         map[string]float64    `json:"cpu"`
	Cores       map[string][2]float64 `json:"core_busy_and_stolen"`
	Sample      string                `json:"sample"`
}

type caller struct {
	fd     int
	sent   time.Time
	buffer []byte
	person uint64
	held   []byte // the hold that its request releases, or none
}

// releases says which holds are released, and how the answers must look.
type releases struct {
	request  *template
	every    int // releases each hold of this number; none if it is 0
	typePath []string
	wantType string
	recorded int
}

type holdRun struct {
	to        target
	request   *template
	typePath  []string
	wantType  string
	idPath    []string
	releases  releases
	poll      *poller
	callers   map[int32]*caller
	scratch   []byte
	latencies latencies
	recording bool
	draining  bool
	open      int
	lastID    string
	result    holdResult
}

func runHold(args []string) any {
	runtime.LockOSThread()
	flags := flag.NewFlagSet("hold", flag.ExitOnError)
	var op operation
	var watch words
	op.register(flags, holdQuery, holdVariables)
	url := flags.String("url", "http://127.0.0.1:8000/graphql", "address of the endpoint")
	connections := flags.Int("connections", 64, "number of keep-alive connections, each with one request at a time")
	duration := flags.Duration("duration", 10*time.Second, "measured time")
	warmup := flags.Duration("warmup", 2*time.Second, "time before the measurement")
	token := flags.String("token", "", "bearer token")
	tokenFile := flags.String("token-file", "", "file of bearer tokens, one per line; the requests use them in turn")
	valuesFile := flags.String("values-file", "", "file of marks, and of the values that replace them, a line per token")
	headers := flags.String("headers", "", "more lines of the head; each __UNIQUE__ becomes a new value")
	typePath := flags.String("type-path", "data.holdTickets.__typename", "JSON path of the type of the answer")
	wantType := flags.String("want-type", "Hold", "the type that every answer must have")
	idPath := flags.String("id-path", "data.holdTickets.id", "JSON path of the id, which must be new each time")
	releaseQuery := flags.String("release-query", "", "text of the operation that releases a hold")
	releaseVariables := flags.String("release-variables", "", "its variables as JSON; each __HOLD__ becomes the hold")
	releaseEvery := flags.Int("release-every", 0, "release each hold of this number; 0 releases none")
	releaseTypePath := flags.String("release-type-path", "", "JSON path of the type of the answer to a release")
	releaseWantType := flags.String("release-want-type", "", "the type that this answer must have")
	flags.Var(&watch, "watch", "process to account for, `name=pid`; may be repeated")
	_ = flags.Parse(args)

	to, tokens, prefix := parseTarget(*url), readTokens(*token, *tokenFile), uint64(rand.Uint32())
	holding := content{headers: headerLines(*headers), body: op.payload(), values: readPersonal(*valuesFile)}
	run := &holdRun{
		to:       to,
		request:  newTemplate(to, tokens, holding, prefix),
		typePath: splitPath(*typePath), wantType: *wantType, idPath: splitPath(*idPath),
		poll: newPoller(), callers: map[int32]*caller{}, scratch: make([]byte, 65536),
		result: holdResult{Connections: *connections, Errors: map[string]int{}},
	}
	if *releaseEvery > 0 {
		releasing := holding
		releasing.body = operation{query: *releaseQuery, variables: *releaseVariables}.payload()
		releasing.mark = holdMark
		run.releases = releases{
			request: newTemplate(to, tokens, releasing, prefix), every: *releaseEvery,
			typePath: splitPath(*releaseTypePath), wantType: *releaseWantType,
		}
	}
	for range *connections {
		run.connect()
	}
	run.loop(*warmup)
	procs := parseProcesses(watch)
	cpuBefore, coresBefore, start := procs.cpuSeconds(), readCores(), time.Now()
	run.recording = true
	run.loop(*duration)
	run.recording = false
	elapsed := time.Since(start)
	run.result.CPU = share(cpuBefore, procs.cpuSeconds(), elapsed)
	run.result.Cores = coreShare(coresBefore, readCores())
	run.draining = true
	run.loop(5 * time.Second)

	run.result.Seconds = round(elapsed.Seconds(), 2)
	run.result.ReqPerS = round(float64(len(run.latencies))/elapsed.Seconds(), 0)
	run.result.ReleasesPer = round(float64(run.releases.recorded)/elapsed.Seconds(), 0)
	tail := run.latencies.ms(50, 99, 100)
	run.result.P50, run.result.P99, run.result.Max = tail[0], tail[1], tail[2]
	return run.result
}

// headerLines returns lines of a head, each with its end.
func headerLines(text string) string {
	if text == "" {
		return ""
	}
	return strings.ReplaceAll(text, "\n", "\r\n") + "\r\n"
}

func (r *holdRun) connect() {
	c := &caller{fd: r.to.connect()}
	r.callers[int32(c.fd)] = c
	r.poll.watch(c.fd)
	r.open++
	r.send(c)
}

func (r *holdRun) send(c *caller) {
	if len(c.held) > 0 {
		c.buffer = r.releases.request.appendFor(c.buffer[:0], c.person, c.held)
	} else {
		c.person = r.request.next()
		c.buffer = r.request.appendFor(c.buffer[:0], c.person, nil)
	}
	c.sent = time.Now()
	if !write(c.fd, c.buffer) {
		r.fail("write failed")
	}
	c.buffer = c.buffer[:0]
}

func (r *holdRun) fail(kind string) { r.result.Errors[kind]++ }

// loop handles answers until the time is up or, at the end of the run, until each connection has its last one.
func (r *holdRun) loop(duration time.Duration) {
	for end := time.Now().Add(duration); time.Now().Before(end) && r.open > 0; {
		for _, event := range r.poll.wait(100 * time.Millisecond) {
			r.receive(r.callers[event.Fd])
		}
	}
	if r.draining && r.open > 0 {
		r.result.Errors["no answer within 5 s"] += r.open
	}
}

func (r *holdRun) receive(c *caller) {
	n, alive := read(c.fd, r.scratch)
	if !alive {
		r.fail("connection lost")
		r.reopen(c)
		return
	}
	data := r.scratch[:n]
	if len(c.buffer) > 0 {
		c.buffer = append(c.buffer, data...)
		data = c.buffer
	}
	status, body, size, keep := parseAnswer(data)
	if size == 0 {
		if len(c.buffer) == 0 {
			c.buffer = append(c.buffer, data...)
		}
		return
	}
	if len(c.held) > 0 {
		r.judgeRelease(status, body)
		c.held = c.held[:0]
	} else if id := r.judge(status, body, time.Since(c.sent)); r.releases.every > 0 && id != "" {
		if r.result.Good%r.releases.every == 0 {
			c.held = append(c.held, id...)
		}
	}
	switch {
	case !keep:
		r.fail("server closed keep-alive")
		r.reopen(c)
	case r.draining:
		r.open--
	default:
		r.send(c)
	}
}

// judgeRelease counts an answer to a release as good only if it has the wanted type.
func (r *holdRun) judgeRelease(status int, body []byte) {
	if kind, _ := findText(body, r.releases.typePath); status != 200 || kind != r.releases.wantType {
		r.fail("a release was answered " + string(body[:min(len(body), 160)]))
		return
	}
	r.result.Released++
	if r.recording {
		r.releases.recorded++
	}
}

// judge counts an answer as good only if it has the wanted type, and an id other than the one before. It returns the
// id of a good one, and otherwise an empty text.
func (r *holdRun) judge(status int, body []byte, took time.Duration) string {
	kind, found := findText(body, r.typePath)
	id, hasID := findText(body, r.idPath)
	switch {
	case status != 200:
		r.fail(fmt.Sprintf("status %d", status))
	case !found:
		r.fail("no answer at the path: " + string(body[:min(len(body), 160)]))
	case kind != r.wantType:
		r.fail("answered " + kind)
	case !hasID || id == "" || id == r.lastID:
		r.fail("no new id")
	default:
		r.result.Good++
		r.lastID = id
		if r.recording {
			r.latencies.add(took)
		}
		if r.result.Sample == "" {
			r.result.Sample = string(body)
		}
		return id
	}
	return ""
}

func (r *holdRun) reopen(c *caller) {
	delete(r.callers, int32(c.fd))
	closeSocket(c.fd)
	r.open--
	if !r.draining {
		r.connect()
	}
}
