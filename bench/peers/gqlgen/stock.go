package main

import (
	"context"
	"sync"

	"peer/graph"
)

const firstVersion = 1_000_000

var tiers = []string{"t1", "t2", "t3", "t4", "t5", "t6"}

// stockHub holds the stock of one concert, and its subscribers.
type stockHub struct {
	mu          sync.Mutex
	latest      *graph.Stock
	subscribers map[chan *graph.Stock]struct{}
}

func newStockHub() *stockHub {
	return &stockHub{latest: stockAt(firstVersion), subscribers: map[chan *graph.Stock]struct{}{}}
}

// subscribe returns a channel that receives the current stock, and then every change.
func (h *stockHub) subscribe(ctx context.Context) <-chan *graph.Stock {
	changes := make(chan *graph.Stock, 8)
	h.mu.Lock()
	defer h.mu.Unlock()
	changes <- h.latest
	h.subscribers[changes] = struct{}{}
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subscribers, changes)
		close(changes)
	})
	return changes
}

func (h *stockHub) advance() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.latest = stockAt(h.latest.Version + 1)
	for changes := range h.subscribers {
		select {
		case changes <- h.latest:
		default: // A subscriber that is eight changes behind misses one.
		}
	}
	return h.latest.Version
}

func stockAt(version int) *graph.Stock {
	stock := &graph.Stock{Version: version, Tiers: make([]graph.TierStock, len(tiers))}
	for i, tier := range tiers {
		stock.Tiers[i] = graph.TierStock{TierID: tier, Available: 9_000_000 - version, Held: version, Sold: version}
	}
	return stock
}
