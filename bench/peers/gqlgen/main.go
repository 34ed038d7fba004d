// Holds tickets through one Redis script and pushes stock over graphql-transport-ws, with gqlgen.
package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"
	"github.com/redis/rueidis"
	"github.com/vektah/gqlparser/v2/ast"

	"peer/graph"
)

func main() {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress:  []string{"127.0.0.1:" + os.Getenv("REDIS_PORT")},
		DisableCache: true,
	})
	check(err)
	script, err := os.ReadFile(os.Getenv("HOLD_LUA"))
	check(err)
	publicKey, err := os.ReadFile(os.Getenv("JWT_PUBLIC_KEY"))
	check(err)
	verifier, err := newVerifier(publicKey)
	check(err)
	hub := newStockHub()
	resolver := &Resolver{client: client, hold: rueidis.NewLuaScript(string(script)), hub: hub}

	mux := http.NewServeMux()
	mux.Handle("/graphql", authenticated(verifier, graphqlServer(resolver, verifier)))
	mux.HandleFunc("POST /tick", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strconv.Itoa(hub.advance()))
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux))
}

func graphqlServer(resolver *Resolver, verifier *verifier) http.Handler {
	server := handler.New(graph.NewExecutableSchema(graph.Config{Resolvers: resolver}))
	server.AddTransport(transport.Websocket{
		Upgrader:              websocket.Upgrader{Subprotocols: []string{"graphql-transport-ws"}},
		KeepAlivePingInterval: 30 * time.Second,
		InitFunc: func(ctx context.Context, init transport.InitPayload) (context.Context, *transport.InitPayload, error) {
			user, err := verifier.user(init.Authorization())
			return withUser(ctx, user), nil, err
		},
	})
	server.AddTransport(transport.POST{})
	server.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	return server
}

// authenticated checks the bearer token of HTTP requests. A WebSocket sends its own in connection_init.
func authenticated(verifier *verifier, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			user, err := verifier.user(r.Header.Get("Authorization"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusUnauthorized)
				return
			}
			r = r.WithContext(withUser(r.Context(), user))
		}
		next.ServeHTTP(w, r)
	})
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
