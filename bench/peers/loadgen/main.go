// loadgen drives one server from one core and prints its measurements as one JSON object.
//
//	loadgen hold    posts a GraphQL operation over and over on keep-alive connections, and checks every answer
//	loadgen fanout  subscribes on many sockets, makes changes, and checks that every socket gets every change
//	loadgen churn   subscribes and completes over and over on a few sockets
//	loadgen wire    serves prepared bytes, so that driving it shows the ceiling of the load generator itself
//	loadgen keys    writes a key pair and bearer tokens for the servers under test
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
)

func main() {
	log.SetFlags(0)
	commands := map[string]func([]string) any{
		"hold": runHold, "fanout": runFanout, "churn": runChurn, "wire": runWire, "keys": runKeys,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		log.Fatal("usage: loadgen hold|fanout|churn|wire|keys [flags]; loadgen hold -h lists the flags of hold")
	}
	result := commands[os.Args[1]](os.Args[2:])
	text, err := json.MarshalIndent(result, "", "  ")
	check(err)
	fmt.Println(string(text))
}

// operation is a GraphQL request given by flags.
type operation struct {
	query     string
	variables string
}

func (o *operation) register(flags *flag.FlagSet, query, variables string) {
	flags.StringVar(&o.query, "query", query, "text of the operation")
	flags.StringVar(&o.variables, "variables", variables, "variables as JSON; each __UNIQUE__ becomes a new value")
}

func (o operation) payload() json.RawMessage {
	body := map[string]any{"query": o.query}
	if o.variables != "" {
		body["variables"] = json.RawMessage(o.variables)
	}
	return mustJSON(body)
}

// words collects the values of a flag that may be given more than once.
type words []string

func (w *words) String() string         { return strings.Join(*w, ",") }
func (w *words) Set(value string) error { *w = append(*w, value); return nil }

// readTokens returns the tokens in a file, one per line, or the single given one if no file is named.
func readTokens(token, file string) []string {
	if file == "" {
		return []string{token}
	}
	text, err := os.ReadFile(file)
	check(err)
	return strings.Fields(string(text))
}

func mustJSON(value any) []byte {
	text, err := json.Marshal(value)
	check(err)
	return text
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
