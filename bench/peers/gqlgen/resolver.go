package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"peer/graph"
)

const holdFor = 10 * time.Minute

// Resolver answers every operation. Its methods return the root objects that gqlgen asks for.
type Resolver struct {
	client rueidis.Client
	hold   *rueidis.Lua
	hub    *stockHub
}

func (r *Resolver) Query() graph.QueryResolver               { return queries{r} }
func (r *Resolver) Mutation() graph.MutationResolver         { return mutations{r} }
func (r *Resolver) Subscription() graph.SubscriptionResolver { return subscriptions{r} }

type queries struct{ *Resolver }

func (queries) Health(context.Context) (string, error) { return "ok", nil }

type mutations struct{ *Resolver }

func (m mutations) HoldTickets(ctx context.Context, input graph.HoldTicketsInput) (graph.HoldResult, error) {
	id := uuid.NewString()
	concert := "{" + input.ConcertID + "}"
	keys := []string{"stock:" + concert, "idem:" + concert + ":" + input.IdempotencyKey, "hold:" + concert + ":" + id}
	expiresAt := time.Now().Add(holdFor).UTC().Format("2006-01-02T15:04:05.000Z07:00")
	args := []string{id, userOf(ctx), expiresAt, strconv.FormatInt(holdFor.Milliseconds(), 10)}
	for _, line := range input.Lines {
		args = append(args, line.TierID, strconv.Itoa(line.Quantity))
	}
	answer, err := m.Resolver.hold.Exec(ctx, m.client, keys, args).ToArray()
	if err != nil {
		return nil, err
	}
	held, err := answer[0].AsInt64()
	if err != nil {
		return nil, err
	}
	if held == 0 {
		available, err := answer[1].AsInt64()
		return graph.SoldOutError{Message: "Sold out", Available: int(available)}, err
	}
	heldID, err := answer[1].ToString()
	if err != nil {
		return nil, err
	}
	heldUntil, err := answer[2].ToString()
	return graph.Hold{ID: heldID, ExpiresAt: heldUntil}, err
}

type subscriptions struct{ *Resolver }

func (s subscriptions) StockChanged(ctx context.Context, concertID string) (<-chan *graph.Stock, error) {
	if concertID != "c1" {
		return nil, errors.New("no such concert")
	}
	return s.hub.subscribe(ctx), nil
}
