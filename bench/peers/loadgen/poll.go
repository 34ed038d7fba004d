package main

import (
	"net"
	"net/url"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// poller waits for non-blocking sockets with level-triggered epoll, from one goroutine.
type poller struct {
	fd     int
	events [1024]syscall.EpollEvent
}

func newPoller() *poller {
	fd, err := syscall.EpollCreate1(0)
	check(err)
	return &poller{fd: fd}
}

func (p *poller) watch(fd int) {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	check(syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, fd, &event))
}

// wait returns the sockets that can be read. It first asks without sleeping, which costs the Go scheduler nothing.
func (p *poller) wait(atMost time.Duration) []syscall.EpollEvent {
	n, _, _ := syscall.RawSyscall6(syscall.SYS_EPOLL_WAIT, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
	if int(n) > 0 {
		return p.events[:n]
	}
	count, err := syscall.EpollWait(p.fd, p.events[:], int(atMost/time.Millisecond)+1)
	if err != nil && err != syscall.EINTR {
		check(err)
	}
	return p.events[:max(count, 0)]
}

// read returns 0 and true if nothing has arrived, and false if the server has closed the connection.
func read(fd int, into []byte) (int, bool) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&into[0])), uintptr(len(into)))
	if errno == syscall.EAGAIN || errno == syscall.EINTR {
		return 0, true
	}
	return int(n), errno == 0 && n > 0
}

// write sends all of data. It rarely waits, because the messages of this program fit into a socket buffer.
func write(fd int, data []byte) bool {
	for len(data) > 0 {
		start, size := uintptr(unsafe.Pointer(&data[0])), uintptr(len(data))
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), start, size)
		switch errno {
		case 0:
			data = data[n:]
		case syscall.EAGAIN, syscall.EINTR:
			time.Sleep(100 * time.Microsecond)
		default:
			return false
		}
	}
	return true
}

// target is the server and the path that a URL names.
type target struct {
	host    string
	path    string
	address syscall.SockaddrInet4
}

func parseTarget(text string) target {
	parsed, err := url.Parse(text)
	check(err)
	port, err := strconv.Atoi(parsed.Port())
	check(err)
	ip, err := net.ResolveIPAddr("ip4", parsed.Hostname())
	check(err)
	t := target{host: parsed.Host, path: parsed.RequestURI(), address: syscall.SockaddrInet4{Port: port}}
	copy(t.address.Addr[:], ip.IP.To4())
	return t
}

func closeSocket(fd int) { _ = syscall.Close(fd) }

func (t *target) connect() int {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check(err)
	check(syscall.Connect(fd, &t.address))
	check(syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1))
	check(syscall.SetNonblock(fd, true))
	return fd
}
