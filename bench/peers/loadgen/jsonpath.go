package main

import "strings"

// find returns the raw JSON value at a path of member names. It scans only as far as it must.
func find(doc []byte, path []string) ([]byte, bool) {
	at := skipSpace(doc, 0)
	for _, name := range path {
		var found bool
		if at, found = member(doc, at, name); !found {
			return nil, false
		}
	}
	end := skipValue(doc, at)
	return doc[at:end], end > at
}

// findText returns a string member without its quotes; escapes stay as they are.
func findText(doc []byte, path []string) (string, bool) {
	raw, found := find(doc, path)
	if !found || len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	return string(raw[1 : len(raw)-1]), true
}

func splitPath(path string) []string { return strings.Split(path, ".") }

// member returns where the value of a name starts in the object at `at`.
func member(doc []byte, at int, name string) (int, bool) {
	if at >= len(doc) || doc[at] != '{' {
		return 0, false
	}
	at = skipSpace(doc, at+1)
	for at < len(doc) && doc[at] == '"' {
		keyEnd := skipString(doc, at)
		if keyEnd > len(doc) {
			return 0, false
		}
		key := doc[at+1 : keyEnd-1]
		at = skipSpace(doc, keyEnd)
		if at >= len(doc) || doc[at] != ':' {
			return 0, false
		}
		at = skipSpace(doc, at+1)
		if string(key) == name {
			return at, true
		}
		at = skipSpace(doc, skipValue(doc, at))
		if at < len(doc) && doc[at] == ',' {
			at = skipSpace(doc, at+1)
		}
	}
	return 0, false
}

func skipSpace(doc []byte, at int) int {
	for at < len(doc) && (doc[at] == ' ' || doc[at] == '\n' || doc[at] == '\t' || doc[at] == '\r') {
		at++
	}
	return at
}

// skipString returns the position after the closing quote, or one beyond the document if there is none.
func skipString(doc []byte, at int) int {
	for at++; at < len(doc); at++ {
		switch doc[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(doc) + 1
}

func skipValue(doc []byte, at int) int {
	depth := 0
	for at < len(doc) {
		switch doc[at] {
		case '"':
			at = skipString(doc, at)
			if depth == 0 {
				return min(at, len(doc))
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at
			}
			depth--
			if depth == 0 {
				return at + 1
			}
		case ',', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return at
			}
		}
		at++
	}
	return min(at, len(doc))
}
