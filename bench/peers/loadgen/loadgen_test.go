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
	made := newTemplate(target{host: "h", path: "/"}, []string{"a", "b"}, content{body: []byte(`{"k":"__UNIQUE__"}`)}, 7)
	first, second := string(made.appendTo(nil)), string(made.appendTo(nil))
	if first == second || len(first) != len(second) {
		t.Errorf("%q\n%q", first, second)
	}
}

func TestEachPersonSendsTheirOwnValues(t *testing.T) {
	values := parsePersonal("__PASS__ __ADDRESS__\none 10.0.0.1\nanother 10.0.0.2\n")
	body := []byte(`{"k":"__UNIQUE__","p":"__PASS__"}`)
	made := newTemplate(target{host: "h", path: "/"}, []string{"a", "b"},
		content{headers: headerLines("X-Request-ID: __UNIQUE__\nX-Forwarded-For: __ADDRESS__"), body: body, values: values}, 7)
	for _, want := range []string{"Bearer a|one|38|10.0.0.1", "Bearer b|another|42|10.0.0.2"} {
		parts := strings.Split(want, "|")
		head, body, _ := strings.Cut(string(made.appendTo(nil)), "\r\n\r\n")
		id := strings.Split(body, `"`)[3]
		for _, line := range []string{parts[0], "Content-Length: " + parts[2], "X-Forwarded-For: " + parts[3], "X-Request-ID: " + id} {
			if !strings.Contains(head+"\r\n", line+"\r\n") {
				t.Errorf("%q is missing in %q", line, head)
			}
		}
		if !strings.Contains(body, `"p":"`+parts[1]+`"`) || strconv.Itoa(len(body)) != parts[2] || len(id) != uniqueSize {
			t.Errorf("%q", body)
		}
	}
}

func TestReleaseNamesTheHoldOfTheSamePerson(t *testing.T) {
	made := newTemplate(target{host: "h", path: "/"}, []string{"a", "b"},
		content{body: []byte(`{"h":"__HOLD__"}`), mark: holdMark}, 7)
	request := string(made.appendFor(nil, 1, []byte("SG9sZDox")))
	if !strings.Contains(request, "Bearer b\r\n") || !strings.HasSuffix(request, "Content-Length: 16\r\n\r\n"+`{"h":"SG9sZDox"}`) {
		t.Errorf("%q", request)
	}
}

func TestOnlySuccessfulReleasesAreCounted(t *testing.T) {
	run := &holdRun{
		releases:  releases{typePath: splitPath("data.r.__typename"), wantType: "Released"},
		recording: true, result: holdResult{Errors: map[string]int{}},
	}
	run.judgeRelease(200, []byte(`{"data":{"r":{"__typename":"Released"}}}`))
	run.judgeRelease(200, []byte(`{"data":{"r":{"__typename":"NotFoundError"}}}`))
	run.judgeRelease(503, []byte(`{"data":{"r":{"__typename":"Released"}}}`))
	if run.result.Released != 1 || run.releases.recorded != 1 || len(run.result.Errors) != 2 {
		t.Errorf("%+v", run.result)
	}
}

func TestAnswerInChunksIsRead(t *testing.T) {
	text := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	status, body, size, keep := parseAnswer([]byte(text))
	if status != 200 || string(body) != "abc" || size != len(text) || !keep {
		t.Errorf("%d %q %d %v", status, body, size, keep)
	}
}
