package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"runtime"
	"strconv"
	"time"
)

const (
	fanoutQuery = `subscription { stockChanged(concertId: "c1") ` +
		`{ version soldOut tiers { tierId available held sold } } }`
	quietTime  = 300 * time.Millisecond
	warmTicks  = 5
	tickWithin = 30 * time.Second
)

type fanoutResult struct {
	Sockets        int                   `json:"sockets"`
	IDs            string                `json:"ids"`
	Seconds        float64               `json:"seconds"`
	Ticks          int                   `json:"ticks"`
	Deliveries     int                   `json:"deliveries"`
	DeliveriesPerS float64               `json:"deliveries_per_s"`
	Reach          float64               `json:"reach"`
	P50            float64               `json:"p50_ms"`
	P99            float64               `json:"p99_ms"`
	Max            float64               `json:"max_ms"`
	Missing        int                   `json:"missing"`
	Duplicates     int                   `json:"duplicates"`
	Lost           int                   `json:"sockets_lost"`
	Errors         map[string]int        `json:"errors"`
	SubscribeS     float64               `json:"seconds_to_subscribe_all"`
	IdleKiB        int                   `json:"rss_idle_kib"`
	SubscribedKiB  int                   `json:"rss_subscribed_kib"`
	LoadedKiB      int                   `json:"rss_loaded_kib"`
	PerSocketKiB   float64               `json:"kib_per_socket"`
	PerSocketLoad  float64               `json:"kib_per_socket_loaded"`
	CPU            map[string]float64    `json:"cpu"`
	Cores          map[string][2]float64 `json:"core_busy_and_stolen"`
	MessageBytes   int                   `json:"message_bytes"`
	Sample         string                `json:"sample"`
}

// fanoutRun makes one change, waits until every socket has received it, and makes the next one.
type fanoutRun struct {
	pool      *socketPool
	ticks     *ticker // nil if the run only listens
	subscribe json.RawMessage
	path      []string
	isExact   bool
	known     knownMessage

	newest      int64 // the highest version that a socket has seen
	goal        int64 // the version that every socket must reach in this round
	remaining   int   // sockets below the goal
	reached     int   // sums, over all measured rounds, the sockets that have reached the goal
	expected    int   // sums, over all measured rounds, the sockets at the start
	isMeasuring bool
	latencies   latencies
	result      fanoutResult
}

func runFanout(args []string) any {
	runtime.LockOSThread()
	flags := flag.NewFlagSet("fanout", flag.ExitOnError)
	var op operation
	var watch words
	op.register(flags, fanoutQuery, "")
	poolFlags, tickFlags := registerPool(flags), registerTicks(flags)
	count := flags.Int("sockets", 1000, "number of sockets, each with one subscription")
	ids := flags.String("ids", "small", `ids of the subscriptions: "small" ("1" on each socket) or "uuid"`)
	duration := flags.Duration("duration", 10*time.Second, "measured time")
	path := flags.String("version-path", "payload.data.stockChanged.version", "JSON path of the version in a message")
	latest := flags.Bool("latest", false, "the server may skip versions that a newer one replaces")
	listen := flags.Bool("listen", false, "make no changes, and count the deliveries of changes that others make")
	flags.Var(&watch, "watch", "process to account for, `name=pid`; memory is that of `server`; may be repeated")
	_ = flags.Parse(args)

	run := &fanoutRun{
		pool: poolFlags.pool(), subscribe: op.payload(), path: splitPath(*path), isExact: !*latest,
		result: fanoutResult{Sockets: *count, IDs: *ids},
	}
	run.result.Errors = run.pool.failures
	run.pool.onText, run.pool.onLost = run.onText, run.onLost
	run.pool.onConnected = func(s *socket) {
		s.id = subscriptionID(*ids, s.number)
		run.pool.subscribe(s, run.subscribe)
	}
	if !*listen {
		run.ticks = tickFlags.ticker(run.pool.poll)
		run.pool.onOther = func(int) { run.ticks.receive() }
	}
	procs := parseProcesses(watch)
	run.result.IdleKiB = procs.rssKiB()
	run.result.SubscribeS = run.pool.openAll(*count)
	log.Printf("%d sockets have subscribed", *count)
	run.warmUp()
	run.result.SubscribedKiB = procs.rssKiB()
	run.measure(*duration, procs)
	run.result.LoadedKiB = procs.rssKiB()
	run.pool.serve(quietTime, never)
	return run.finish()
}

// subscriptionID returns the id of a socket's only subscription. UUIDs of version 4 need no randomness here.
func subscriptionID(kind string, number int) string {
	if kind == "uuid" {
		return fmt.Sprintf("%08x-5eed-4a11-8bad-%012x", uint32(number)*2654435761, number)
	}
	return "1"
}

// warmUp makes a few changes. Changes that the server still makes by itself come first.
func (r *fanoutRun) warmUp() {
	if r.ticks == nil {
		return
	}
	r.pool.serve(quietTime, never)
	r.ticks.connect()
	for range warmTicks {
		if !r.round() {
			log.Fatalf("%d sockets did not get version %d; errors: %v", r.remaining, r.goal, r.pool.failures)
		}
	}
}

func (r *fanoutRun) measure(duration time.Duration, procs processes) {
	r.result.Missing, r.result.Duplicates = 0, 0
	cpu, cores, start := procs.cpuSeconds(), readCores(), time.Now()
	r.isMeasuring = true
	if r.ticks == nil {
		r.pool.serve(duration, never)
	} else {
		r.tickFor(duration)
	}
	r.isMeasuring = false
	elapsed := time.Since(start)
	r.result.CPU = share(cpu, procs.cpuSeconds(), elapsed)
	r.result.Cores = coreShare(cores, readCores())
	r.result.Seconds = round(elapsed.Seconds(), 2)
	r.result.DeliveriesPerS = round(float64(r.result.Deliveries)/elapsed.Seconds(), 0)
}

func (r *fanoutRun) tickFor(duration time.Duration) {
	for start := time.Now(); time.Since(start) < duration; {
		live := r.pool.opened - r.pool.lost
		isComplete := r.round()
		r.expected += live
		r.reached += live - max(r.remaining, 0)
		if !isComplete {
			r.pool.fail(fmt.Sprintf("version %d did not reach all sockets within %s", r.goal, tickWithin))
			return
		}
		r.result.Ticks++
	}
}

// round makes one change and waits until every socket has its version. The goal is above every version that a
// socket has seen, so each socket passes it in this round, even if others make changes too.
func (r *fanoutRun) round() bool {
	r.goal = max(r.goal, r.newest) + 1
	r.remaining = r.pool.opened - r.pool.lost
	r.ticks.send()
	return r.pool.serve(tickWithin, func() bool { return r.remaining <= 0 && !r.ticks.pending })
}

func (r *fanoutRun) finish() fanoutResult {
	end := max(r.goal, r.newest)
	r.pool.each(func(s *socket) { r.result.Missing += int(end - s.version) })
	if r.ticks == nil {
		r.expected = r.result.Sockets
		r.pool.each(func(s *socket) {
			if s.version == end {
				r.reached++
			}
		})
	}
	r.pool.closeAll()
	r.result.Lost = r.pool.lost
	r.result.Reach = round(float64(r.reached)/float64(max(r.expected, 1)), 6)
	tail := r.latencies.ms(50, 99, 100)
	r.result.P50, r.result.P99, r.result.Max = tail[0], tail[1], tail[2]
	perSocket := func(kib int) float64 {
		return round(float64(kib-r.result.IdleKiB)/float64(r.result.Sockets), 1)
	}
	r.result.PerSocketKiB = perSocket(r.result.SubscribedKiB)
	r.result.PerSocketLoad = perSocket(r.result.LoadedKiB)
	r.result.MessageBytes = len(r.known.text)
	r.result.Sample = string(r.known.text)
	return r.result
}

// onText counts a message of the subscription. A message that differs from the last one only in the id is not
// parsed again, but its id must be the socket's own.
func (r *fanoutRun) onText(s *socket, text []byte) {
	if r.known.matches(text, s.id) {
		r.deliver(s, r.known.version)
		return
	}
	raw, found := find(text, r.path)
	if !found {
		r.pool.control(s, text)
		return
	}
	version, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || bytes.Contains(text, []byte(`"errors"`)) || !r.known.learn(text, s.id, version) {
		r.pool.fail(fmt.Sprintf("bad message: %.200s", text))
		return
	}
	r.deliver(s, version)
}

func (r *fanoutRun) deliver(s *socket, version int64) {
	before := s.version
	if version <= before {
		r.result.Duplicates++
		return
	}
	s.version = version
	r.newest = max(r.newest, version)
	if !s.isReady {
		r.pool.markReady(s)
		return
	}
	if r.isExact {
		r.result.Missing += int(version-before) - 1
	}
	if r.isMeasuring {
		r.result.Deliveries++
	}
	if before < r.goal && version >= r.goal {
		r.remaining--
		if r.isMeasuring {
			r.latencies.add(time.Since(r.ticks.sent))
		}
	}
}

func (r *fanoutRun) onLost(s *socket) {
	if s.version < r.goal {
		r.remaining--
		r.result.Missing++
	}
}

// knownMessage is the last message that was parsed, split around the id of its subscription.
type knownMessage struct {
	text    []byte
	idStart int
	idEnd   int
	version int64
}

// matches reports whether text is the known message with this id.
func (k *knownMessage) matches(text []byte, id string) bool {
	if len(text) != len(k.text) || len(id) != k.idEnd-k.idStart {
		return false
	}
	return string(text[k.idStart:k.idEnd]) == id && bytes.Equal(text[:k.idStart], k.text[:k.idStart]) &&
		bytes.Equal(text[k.idEnd:], k.text[k.idEnd:])
}

// learn keeps a parsed message. It returns false if the message is for another subscription.
func (k *knownMessage) learn(text []byte, id string, version int64) bool {
	raw, found := find(text, []string{"id"})
	if !found || string(raw) != `"`+id+`"` {
		return false
	}
	k.idStart = cap(text) - cap(raw) + 1
	k.idEnd = k.idStart + len(id)
	k.text, k.version = append(k.text[:0], text...), version
	return true
}
