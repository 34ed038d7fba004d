package main

import (
	"bytes"
	"flag"
	"log"
	"math/rand/v2"
	"time"
)

// ticker makes changes, one at a time, by sending the same request again and again.
type ticker struct {
	to      target
	request *template
	poll    *poller
	fd      int
	buffer  []byte
	scratch []byte
	sent    time.Time
	pending bool
	last    []byte
	resent  bool
}

type tickFlags struct {
	url, body, token, tokenFile *string
}

func registerTicks(flags *flag.FlagSet) tickFlags {
	return tickFlags{
		url:       flags.String("tick-url", "", "where a POST makes the next version"),
		body:      flags.String("tick-body", "", "its body; each __UNIQUE__ becomes a new value"),
		token:     flags.String("tick-token", "", "its bearer token"),
		tokenFile: flags.String("tick-token-file", "", "file of bearer tokens, one per line; the changes use them in turn"),
	}
}

func (f tickFlags) ticker(poll *poller) *ticker {
	to := parseTarget(*f.url)
	return &ticker{
		to: to, poll: poll, scratch: make([]byte, 65536),
		request: newTemplate(to, readTokens(*f.token, *f.tokenFile), content{body: []byte(*f.body)}, uint64(rand.Uint32())),
	}
}

// connect opens the connection just before it is used, because servers close connections that are idle for seconds.
func (t *ticker) connect() {
	t.fd = t.to.connect()
	t.poll.watch(t.fd)
}

func (t *ticker) send() {
	t.pending, t.resent = true, false
	t.last = t.request.appendTo(t.last[:0])
	t.sent = time.Now()
	if !write(t.fd, t.last) {
		t.reconnect()
	}
}

func (t *ticker) receive() {
	n, alive := read(t.fd, t.scratch)
	if !alive {
		t.reconnect()
		return
	}
	t.buffer = append(t.buffer, t.scratch[:n]...)
	status, body, size, _ := parseAnswer(t.buffer)
	if size == 0 {
		return
	}
	if status < 200 || status > 299 || bytes.Contains(body, []byte(`"errors"`)) || bytes.Contains(body, []byte(`Error"`)) {
		log.Fatalf("a change was refused: status %d %.300s", status, body)
	}
	t.buffer, t.pending = t.buffer[:0], false
}

// reconnect replaces a connection that the server has closed because it was idle. A request that crossed with the
// close is sent again, once; holds are idempotent, and an extra version would count as missing.
func (t *ticker) reconnect() {
	closeSocket(t.fd)
	t.connect()
	if !t.pending {
		return
	}
	if t.resent || len(t.buffer) > 0 || !write(t.fd, t.last) {
		log.Fatal("the server closed the connection that makes changes before it answered")
	}
	t.resent = true
}
