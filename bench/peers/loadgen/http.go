package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// template makes POST requests. Each __UNIQUE__ in the body becomes a value of 20 characters that no other request
// has. The requests use the tokens in turn; if there are passes, __PASS__ becomes the pass of the same person.
type template struct {
	head   []byte
	tokens []string
	passes []string
	length int      // of the body, without a pass
	body   [][]byte // the parts around each __UNIQUE__
	used   uint64
	prefix uint64
}

const (
	uniqueMark = "__UNIQUE__"
	passMark   = "__PASS__"
	uniqueSize = 20
)

func newTemplate(to target, tokens []string, body []byte, prefix uint64) *template {
	parts := bytes.Split(body, []byte(uniqueMark))
	length := len(body) + (len(parts)-1)*(uniqueSize-len(uniqueMark))
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n", to.path, to.host)
	if len(body) > 0 {
		head += "Content-Type: application/json\r\n"
	}
	return &template{head: []byte(head), tokens: tokens, length: length, body: parts, prefix: prefix}
}

func (t *template) appendTo(request []byte) []byte {
	request = append(request, t.head...)
	if token := t.tokens[t.used%uint64(len(t.tokens))]; token != "" {
		request = append(append(append(request, "Authorization: Bearer "...), token...), "\r\n"...)
	}
	body, length := t.body, t.length
	if len(t.passes) > 0 {
		body, length = t.withPass(t.passes[t.used%uint64(len(t.passes))])
	}
	t.used++
	request = append(request, "Content-Length: "...)
	request = append(strconv.AppendInt(request, int64(length), 10), "\r\n\r\n"...)
	request = append(request, body[0]...)
	for _, part := range body[1:] {
		request = appendHex(request, t.prefix, 8)
		request = appendHex(request, t.used, uniqueSize-8)
		request = append(request, part...)
	}
	return request
}

// withPass returns the body with a pass, and its length, which differs from pass to pass.
func (t *template) withPass(pass string) (body [][]byte, length int) {
	for _, part := range t.body {
		body = append(body, bytes.ReplaceAll(part, []byte(passMark), []byte(pass)))
		length += len(body[len(body)-1])
	}
	return body, length + (len(body)-1)*uniqueSize
}

func appendHex(to []byte, value uint64, digits int) []byte {
	const hex = "0123456789abcdef"
	for shift := (digits - 1) * 4; shift >= 0; shift -= 4 {
		to = append(to, hex[value>>shift&15])
	}
	return to
}

// parseAnswer reads the HTTP/1.1 answer at the start of data; size is 0 while it is incomplete.
func parseAnswer(data []byte) (status int, body []byte, size int, keep bool) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 || len(data) < 12 {
		return 0, nil, 0, true
	}
	status, _ = strconv.Atoi(string(data[9:12]))
	keep = true
	length, chunked := 0, false
	for line := range bytes.SplitSeq(data[:end], []byte("\r\n")) {
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found {
			continue
		}
		value = bytes.TrimSpace(value)
		switch {
		case len(name) == 14 && bytes.EqualFold(name, []byte("Content-Length")):
			length, _ = strconv.Atoi(string(value))
		case len(name) == 17 && bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case len(name) == 10 && bytes.EqualFold(name, []byte("Connection")):
			keep = !bytes.EqualFold(value, []byte("close"))
		}
	}
	if chunked {
		body, size = parseChunks(data, end+4)
		return status, body, size, keep
	}
	if len(data) < end+4+length {
		return status, nil, 0, keep
	}
	return status, data[end+4 : end+4+length], end + 4 + length, keep
}

func parseChunks(data []byte, at int) (body []byte, size int) {
	for {
		line := bytes.Index(data[at:], []byte("\r\n"))
		if line < 0 {
			return nil, 0
		}
		length, err := strconv.ParseInt(string(data[at:at+line]), 16, 32)
		at += line + 2
		if err != nil || len(data) < at+int(length)+2 {
			return nil, 0
		}
		body = append(body, data[at:at+int(length)]...)
		at += int(length) + 2
		if length == 0 {
			return body, at
		}
	}
}
