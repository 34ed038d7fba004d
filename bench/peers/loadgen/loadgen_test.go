package main

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
)

func TestFindReadsOnlyItsPath(t *testing.T) {
	doc := []byte(` {"a": {"x": "}\"{", "list": [1, {"b": 2}], "b": {"version": 42, "z": true}}, "b": 7}`)
	for path, want := range map[string]string{"a.b.version": "42", "b": "7", "a.x": `"}\"{"`, "a.list": `[1, {"b": 2}]`} {
		if got, found := find(doc, splitPath(path)); !found || string(got) != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	for _, path := range []string{"a.version", "c", "b.version"} {
		if got, found := find(doc, splitPath(path)); found {
			t.Errorf("%s: found %q", path, got)
		}
	}
}

func TestFramesOfAllSizesSurviveTheWire(t *testing.T) {
	for _, size := range []int{0, 125, 126, 65_535, 65_536} {
		payload := bytes.Repeat([]byte("x"), size)
		for _, frame := range [][]byte{clientFrame(opText, payload), serverFrame(opText, payload)} {
			if _, _, _, early := parseFrame(frame[:len(frame)-1]); early != 0 {
				t.Errorf("%d: an incomplete frame was read", size)
			}
			final, opcode, got, used := parseFrame(frame)
			if !final || opcode != opText || used != len(frame) || !bytes.Equal(got, payload) {
				t.Errorf("%d: the payload changed", size)
			}
		}
	}
}

func newFanout(goal int64, remaining int) *fanoutRun {
	run := &fanoutRun{
		pool: &socketPool{failures: map[string]int{}}, ticks: &ticker{}, path: splitPath("v"),
		isExact: true, isMeasuring: true, goal: goal, remaining: remaining,
	}
	return run
}

func TestMissingAndDoubledVersionsAreCounted(t *testing.T) {
	run := newFanout(13, 1)
	s := &socket{version: -1}
	for _, version := range []int64{10, 11, 11, 13} {
		run.deliver(s, version)
	}
	if run.result.Missing != 1 || run.result.Duplicates != 1 || run.remaining != 0 || run.pool.ready != 1 {
		t.Errorf("%+v, remaining %d", run.result, run.remaining)
	}
}

func TestSocketBeyondTheGoalCountsAsReachedOnlyOnce(t *testing.T) {
	run := newFanout(11, 1)
	s := &socket{version: 10, isReady: true}
	for _, version := range []int64{12, 13} {
		run.deliver(s, version)
	}
	if run.remaining != 0 || run.result.Deliveries != 2 || len(run.latencies) != 1 || run.newest != 13 {
		t.Errorf("%+v, remaining %d, newest %d", run.result, run.remaining, run.newest)
	}
}

func TestMessageOfAnotherSubscriptionIsAnError(t *testing.T) {
	run := newFanout(2, 2)
	first, second := &socket{id: subscriptionID("uuid", 1)}, &socket{id: subscriptionID("uuid", 2)}
	text := func(id string) []byte { return []byte(`{"type":"next","id":"` + id + `","v":2}`) }
	run.onText(first, text(first.id))
	run.onText(second, text(second.id))
	run.onText(second, text(first.id))
	if first.version != 2 || second.version != 2 || len(run.pool.failures) != 1 || run.result.Duplicates != 0 {
		t.Errorf("%d %d %v %+v", first.version, second.version, run.pool.failures, run.result)
	}
}

func TestOnlyNewHoldsAreGood(t *testing.T) {
	run := &holdRun{
		typePath: splitPath("data.h.__typename"), wantType: "Hold", idPath: splitPath("data.h.id"),
		recording: true, result: holdResult{Errors: map[string]int{}},
	}
	run.judge(200, []byte(`{"data":{"h":{"__typename":"Hold","id":"1"}}}`), 1)
	run.judge(200, []byte(`{"data":{"h":{"__typename":"Hold","id":"1"}}}`), 1)
	run.judge(200, []byte(`{"data":{"h":{"__typename":"SoldOutError","available":0}}}`), 1)
	run.judge(200, []byte(`{"errors":[{"message":"no"}],"data":null}`), 1)
	run.judge(401, []byte(`no bearer token`), 1)
	if run.result.Good != 1 || len(run.latencies) != 1 || len(run.result.Errors) != 4 {
		t.Errorf("%+v", run.result)
	}
}

func TestUniqueMarksDifferInEachRequest(t *testing.T) {
	made := newTemplate(target{host: "h", path: "/"}, []string{"a", "b"}, []byte(`{"k":"__UNIQUE__"}`), 7)
	first, second := string(made.appendTo(nil)), string(made.appendTo(nil))
	if first == second || len(first) != len(second) {
		t.Errorf("%q\n%q", first, second)
	}
}

func TestEachPersonSendsTheirOwnPass(t *testing.T) {
	made := newTemplate(target{host: "h", path: "/"}, []string{"a", "b"}, []byte(`{"k":"__UNIQUE__","p":"__PASS__"}`), 7)
	made.passes = []string{"one", "another"}
	for _, want := range []string{"Bearer a|one|38", "Bearer b|another|42"} {
		token, pass, _ := strings.Cut(want, "|")
		pass, length, _ := strings.Cut(pass, "|")
		request := string(made.appendTo(nil))
		_, body, _ := strings.Cut(request, "\r\n\r\n")
		if !strings.Contains(request, token) || !strings.Contains(body, `"p":"`+pass+`"`) ||
			!strings.Contains(request, "Content-Length: "+length+"\r\n") || strconv.Itoa(len(body)) != length {
			t.Errorf("%q", request)
		}
	}
}

func TestAnswerInChunksIsRead(t *testing.T) {
	text := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	status, body, size, keep := parseAnswer([]byte(text))
	if status != 200 || string(body) != "abc" || size != len(text) || !keep {
		t.Errorf("%d %q %d %v", status, body, size, keep)
	}
}
