package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// template makes POST requests. They use the tokens in turn. A value that no other request has, of 20 characters,
// replaces each __UNIQUE__ in the headers and the body.
type template struct {
	head     []byte
	tokens   []string
	messages []message // one for each person, or one for all
	turn     uint64
	used     uint64
	prefix   uint64
	unique   []byte
}

// content is what a request consists of, besides its token. The marks of values stand for one value per person.
type content struct {
	headers string // lines of the head
	body    []byte
	mark    string // what is replaced in the body; __UNIQUE__ if it is empty
	values  personal
}

// message is the content for one person: the parts around each mark.
type message struct {
	headers, body [][]byte
	length        int // of the body, without what replaces the marks
}

const (
	uniqueMark = "__UNIQUE__"
	uniqueSize = 20
)

func newTemplate(to target, tokens []string, of content, prefix uint64) *template {
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n", to.path, to.host)
	if len(of.body) > 0 {
		head += "Content-Type: application/json\r\n"
	}
	made := &template{head: []byte(head), tokens: tokens, prefix: prefix}
	for person := range max(len(of.values.people), 1) {
		made.messages = append(made.messages, of.message(person))
	}
	return made
}

func (c content) message(person int) message {
	replace := c.values.replacer(person)
	body := []byte(replace.Replace(string(c.body)))
	mark := []byte(cmp.Or(c.mark, uniqueMark))
	parts := bytes.Split(body, mark)
	return message{
		headers: bytes.Split([]byte(replace.Replace(c.headers)), []byte(uniqueMark)),
		body:    parts,
		length:  len(body) - (len(parts)-1)*len(mark),
	}
}

// next returns the person who sends the next request, as the position of their token.
func (t *template) next() uint64 {
	person := t.turn % uint64(len(t.tokens))
	t.turn++
	return person
}

// appendTo appends the request of the next person.
func (t *template) appendTo(request []byte) []byte { return t.appendFor(request, t.next(), nil) }

// appendFor appends a person's request. The value replaces each mark in the body; without one, a unique value does.
func (t *template) appendFor(request []byte, person uint64, value []byte) []byte {
	t.used++
	t.unique = appendHex(appendHex(t.unique[:0], t.prefix, 8), t.used, uniqueSize-8)
	if value == nil {
		value = t.unique
	}
	message := &t.messages[person%uint64(len(t.messages))]
	request = append(request, t.head...)
	if token := t.tokens[person]; token != "" {
		request = append(append(append(request, "Authorization: Bearer "...), token...), "\r\n"...)
	}
	request = appendJoined(request, message.headers, t.unique)
	request = append(request, "Content-Length: "...)
	request = strconv.AppendInt(request, int64(message.length+(len(message.body)-1)*len(value)), 10)
	request = append(request, "\r\n\r\n"...)
	return appendJoined(request, message.body, value)
}

func appendJoined(to []byte, parts [][]byte, value []byte) []byte {
	to = append(to, parts[0]...)
	for _, part := range parts[1:] {
		to = append(append(to, value...), part...)
	}
	return to
}

// personal has the values that differ from person to person.
type personal struct {
	marks  []string
	people [][]string // the values of each person, in the order of the marks
}

// readPersonal reads a file with the marks in its first line and the values of a person in each other line.
func readPersonal(file string) personal {
	if file == "" {
		return personal{}
	}
	text, err := os.ReadFile(file)
	check(err)
	return parsePersonal(string(text))
}

func parsePersonal(text string) personal {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	values := personal{marks: strings.Fields(lines[0])}
	for _, line := range lines[1:] {
		values.people = append(values.people, strings.Fields(line))
	}
	return values
}

func (p personal) replacer(person int) *strings.Replacer {
	var pairs []string
	for column, mark := range p.marks {
		pairs = append(pairs, mark, p.people[person][column])
	}
	return strings.NewReplacer(pairs...)
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
