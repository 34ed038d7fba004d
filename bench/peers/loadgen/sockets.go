package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"time"
)

const (
	subprotocol     = "graphql-transport-ws"
	openingAtOnce   = 64
	openingTimeout  = 120 * time.Second
	largestOpenFile = 1 << 17
)

// socket is one WebSocket with one subscription.
type socket struct {
	fd         int
	number     int
	isUpgraded bool
	isReady    bool // has received the first message of its subscription
	id         string
	version    int64
	buffer     []byte // of an incomplete frame
	message    []byte // of an incomplete message
}

// socketPool opens sockets, reads their frames, and answers the messages of the protocol itself.
type socketPool struct {
	to       target
	tokens   []string
	poll     *poller
	sockets  []*socket // by file descriptor
	opened   int
	ready    int
	lost     int
	scratch  []byte
	failures map[string]int

	// onText gets every text message, in arrival order. It passes messages that it does not know to control.
	onText func(*socket, []byte)
	// onConnected is called once the server has accepted the token.
	onConnected func(*socket)
	onLost      func(*socket)
	// onOther gets the events of file descriptors that are not sockets of the pool.
	onOther func(fd int)
}

// poolFlags are the flags that say which sockets to open.
type poolFlags struct {
	url, token, tokenFile *string
}

func registerPool(flags *flag.FlagSet) poolFlags {
	return poolFlags{
		url:       flags.String("url", "ws://127.0.0.1:8000/graphql", "address of the WebSocket endpoint"),
		token:     flags.String("token", "", `bearer token, sent by connection_init as {"Authorization": "Bearer ..."}`),
		tokenFile: flags.String("token-file", "", "file of bearer tokens, one per line; the sockets use them in turn"),
	}
}

func (f poolFlags) pool() *socketPool {
	return &socketPool{
		to: parseTarget(*f.url), tokens: readTokens(*f.token, *f.tokenFile), poll: newPoller(),
		sockets: make([]*socket, largestOpenFile), scratch: make([]byte, 65536), failures: map[string]int{},
		onLost: func(*socket) {},
	}
}

// openAll opens every socket, a few at a time, and returns the seconds until all are ready.
func (p *socketPool) openAll(count int) float64 {
	start := time.Now()
	done := func() bool {
		for p.opened < count && p.opened-p.ready < openingAtOnce {
			p.open()
		}
		return p.ready+p.lost >= count
	}
	if !p.serve(openingTimeout, done) || p.lost > 0 {
		log.Fatalf("only %d of %d sockets subscribed; errors: %v", p.ready, count, p.failures)
	}
	return round(time.Since(start).Seconds(), 2)
}

func (p *socketPool) open() {
	s := &socket{fd: p.to.connect(), number: p.opened, version: -1}
	p.sockets[s.fd] = s
	p.poll.watch(s.fd)
	p.opened++
	p.send(s, upgradeRequest(p.to, subprotocol))
}

// serve handles events until done returns true. It returns false if the time is up first.
func (p *socketPool) serve(atMost time.Duration, done func() bool) bool {
	deadline := time.Now().Add(atMost)
	for !done() {
		if time.Now().After(deadline) {
			return false
		}
		for _, event := range p.poll.wait(20 * time.Millisecond) {
			if s := p.sockets[event.Fd]; s != nil {
				p.receive(s)
			} else if p.onOther != nil {
				p.onOther(int(event.Fd))
			}
		}
	}
	return true
}

func never() bool { return false }

func (p *socketPool) each(do func(*socket)) {
	for _, s := range p.sockets {
		if s != nil {
			do(s)
		}
	}
}

func (p *socketPool) receive(s *socket) {
	n, alive := read(s.fd, p.scratch)
	if !alive {
		p.lose(s, "connection lost")
		return
	}
	data := p.scratch[:n]
	if len(s.buffer) > 0 {
		s.buffer = append(s.buffer, data...)
		data = s.buffer
	}
	if rest := p.consume(s, data); len(rest) > 0 || len(s.buffer) > 0 {
		s.buffer = append(s.buffer[:0], rest...)
	}
}

// consume handles every complete frame at the start of data, and returns the rest.
func (p *socketPool) consume(s *socket, data []byte) []byte {
	if !s.isUpgraded {
		size, err := upgraded(data, subprotocol)
		check(err)
		if size == 0 {
			return data
		}
		data, s.isUpgraded = data[size:], true
		p.send(s, clientFrame(opText, p.greeting(s)))
	}
	for {
		final, opcode, payload, size := parseFrame(data)
		if size == 0 {
			return data
		}
		data = data[size:]
		switch {
		case opcode == opPing:
			p.send(s, clientFrame(opPong, payload))
		case opcode == opClose:
			p.lose(s, fmt.Sprintf("closed by the server: %.80q", payload))
			return nil
		case opcode == opPong:
		case final && opcode == opText:
			p.onText(s, payload)
		default:
			s.message = append(s.message, payload...)
			if final {
				p.onText(s, s.message)
				s.message = nil
			}
		}
	}
}

func (p *socketPool) greeting(s *socket) []byte {
	message := map[string]any{"type": "connection_init"}
	if token := p.tokens[s.number%len(p.tokens)]; token != "" {
		message["payload"] = map[string]string{"Authorization": "Bearer " + token}
	}
	return mustJSON(message)
}

// control handles the messages of the protocol itself. Any other message is an error.
func (p *socketPool) control(s *socket, text []byte) {
	switch kind, _ := findText(text, []string{"type"}); kind {
	case "connection_ack":
		p.onConnected(s)
	case "ping":
		p.send(s, clientFrame(opText, []byte(`{"type":"pong"}`)))
	case "pong":
	default:
		p.fail(fmt.Sprintf("unexpected message: %.200s", text))
	}
}

func (p *socketPool) subscribe(s *socket, payload json.RawMessage) {
	message := map[string]any{"id": s.id, "type": "subscribe", "payload": payload}
	p.send(s, clientFrame(opText, mustJSON(message)))
}

func (p *socketPool) markReady(s *socket) {
	if !s.isReady {
		s.isReady = true
		p.ready++
	}
}

func (p *socketPool) send(s *socket, data []byte) {
	if !write(s.fd, data) {
		p.lose(s, "write failed")
	}
}

func (p *socketPool) fail(kind string) { p.failures[kind]++ }

func (p *socketPool) lose(s *socket, why string) {
	if p.sockets[s.fd] != s {
		return
	}
	p.fail(why)
	p.sockets[s.fd] = nil
	closeSocket(s.fd)
	p.lost++
	p.onLost(s)
}

func (p *socketPool) closeAll() { p.each(func(s *socket) { closeSocket(s.fd) }) }
