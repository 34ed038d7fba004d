package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"runtime"
	"slices"
	"syscall"
	"time"
)

const firstVersion = 1_000_000

// wireServer does the least that every server must do: it reads requests and writes bytes. It executes no GraphQL.
type wireServer struct {
	poll        *poller
	listener    int
	buffers     map[int][]byte
	sockets     map[int]bool
	subscribers []wireSubscriber
	version     int64
	holds       uint64
	scratch     []byte
}

type wireSubscriber struct {
	fd int
	id string
}

func runWire(args []string) any {
	runtime.LockOSThread()
	flags := flag.NewFlagSet("wire", flag.ExitOnError)
	port := flags.Int("port", 8000, "port on 127.0.0.1")
	_ = flags.Parse(args)

	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	check(err)
	check(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	check(syscall.Bind(fd, &syscall.SockaddrInet4{Port: *port, Addr: [4]byte{127, 0, 0, 1}}))
	check(syscall.Listen(fd, 2048))
	w := &wireServer{
		poll: newPoller(), listener: fd, buffers: map[int][]byte{}, sockets: map[int]bool{},
		version: firstVersion, scratch: make([]byte, 65536),
	}
	w.poll.watch(fd)
	for {
		for _, event := range w.poll.wait(time.Second) {
			if int(event.Fd) == w.listener {
				w.accept()
			} else {
				w.receive(int(event.Fd))
			}
		}
	}
}

func (w *wireServer) accept() {
	for {
		fd, _, err := syscall.Accept4(w.listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		check(syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1))
		w.poll.watch(fd)
	}
}

func (w *wireServer) receive(fd int) {
	n, alive := read(fd, w.scratch)
	if !alive {
		w.forget(fd)
		return
	}
	data := w.scratch[:n]
	if left := w.buffers[fd]; len(left) > 0 {
		data = append(left, data...)
	}
	for {
		size := 0
		if w.sockets[fd] {
			size = w.onFrame(fd, data)
		} else {
			size = w.onRequest(fd, data)
		}
		if size == 0 {
			break
		}
		data = data[size:]
	}
	if len(data) > 0 {
		w.buffers[fd] = append([]byte(nil), data...)
	} else if w.buffers[fd] != nil {
		delete(w.buffers, fd)
	}
}

func (w *wireServer) forget(fd int) {
	delete(w.buffers, fd)
	delete(w.sockets, fd)
	w.unsubscribe(fd)
	closeSocket(fd)
}

func (w *wireServer) unsubscribe(fd int) {
	w.subscribers = slices.DeleteFunc(w.subscribers, func(s wireSubscriber) bool { return s.fd == fd })
}

func (w *wireServer) onRequest(fd int, data []byte) int {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return 0
	}
	length := 0
	if _, value, found := bytes.Cut(data[:end], []byte("Content-Length: ")); found {
		_, _ = fmt.Sscanf(string(value[:min(len(value), 12)]), "%d", &length)
	}
	size := end + 4 + length
	if len(data) < size {
		return 0
	}
	switch {
	case bytes.HasPrefix(data, []byte("GET /graphql")):
		w.upgrade(fd, data[:end])
	case bytes.HasPrefix(data, []byte("POST /tick")):
		w.version++
		answer(fd, fmt.Appendf(nil, "%d", w.version))
		w.publish()
	default:
		w.holds++
		answer(fd, fmt.Appendf(nil, `{"data":{"holdTickets":{"__typename":"Hold","id":"%036x",`+
			`"expiresAt":"2030-01-01T00:00:00.000Z"}}}`, w.holds))
	}
	return size
}

func answer(fd int, body []byte) {
	head := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	write(fd, append(head, body...))
}

func (w *wireServer) upgrade(fd int, head []byte) {
	_, key, _ := bytes.Cut(head, []byte("Sec-WebSocket-Key: "))
	key, _, _ = bytes.Cut(key, []byte("\r\n"))
	digest := sha1.Sum(append(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	w.sockets[fd] = true
	accept := base64.StdEncoding.EncodeToString(digest[:])
	write(fd, []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Protocol: "+subprotocol+"\r\nSec-WebSocket-Accept: "+accept+"\r\n\r\n"))
}

func (w *wireServer) onFrame(fd int, data []byte) int {
	_, opcode, payload, size := parseFrame(data)
	if size == 0 || opcode != opText {
		return size
	}
	var message struct{ ID, Type string }
	if json.Unmarshal(payload, &message) != nil {
		log.Printf("not JSON: %.100s", payload)
	}
	switch message.Type {
	case "connection_init":
		write(fd, serverFrame(opText, []byte(`{"type":"connection_ack"}`)))
	case "subscribe":
		write(fd, stockFrame(message.ID, w.stock()))
		w.subscribers = append(w.subscribers, wireSubscriber{fd, message.ID})
	case "complete":
		w.unsubscribe(fd)
	}
	return size
}

// publish writes a frame to each subscriber; subscribers with the same id share it.
func (w *wireServer) publish() {
	var frame []byte
	stock, id := w.stock(), ""
	for _, subscriber := range w.subscribers {
		if frame == nil || subscriber.id != id {
			id = subscriber.id
			frame = stockFrame(id, stock)
		}
		write(subscriber.fd, frame)
	}
}

func stockFrame(id string, stock []byte) []byte {
	return serverFrame(opText, append([]byte(`{"id":"`+id+`",`), stock...))
}

// stock returns the message of the current version, without its start and the id.
func (w *wireServer) stock() []byte {
	text := []byte(`"type":"next","payload":{"data":{"stockChanged":`)
	text = fmt.Appendf(text, `{"version":%d,"soldOut":false,"tiers":[`, w.version)
	for tier := 1; tier <= 6; tier++ {
		if tier > 1 {
			text = append(text, ',')
		}
		text = fmt.Appendf(text, `{"tierId":"t%d","available":%d,"held":%d,"sold":%d}`,
			tier, 9_000_000-w.version, w.version, w.version)
	}
	return append(text, "]}}}}"...)
}
