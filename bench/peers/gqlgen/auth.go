package main

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const maxRemembered = 10_000

var errNoToken = errors.New("no bearer token")

type userKey struct{}

func withUser(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, userKey{}, user)
}

func userOf(ctx context.Context) string {
	user, _ := ctx.Value(userKey{}).(string)
	return user
}

// verifier checks RS256 tokens of one key, and remembers the good ones by digest until they expire.
type verifier struct {
	key    *rsa.PublicKey
	parser *jwt.Parser
	mu     sync.RWMutex
	known  map[[sha256.Size]byte]jwt.RegisteredClaims
}

func newVerifier(publicPEM []byte) (*verifier, error) {
	key, err := jwt.ParseRSAPublicKeyFromPEM(publicPEM)
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience("onsale"), jwt.WithExpirationRequired())
	return &verifier{key: key, parser: parser, known: map[[sha256.Size]byte]jwt.RegisteredClaims{}}, err
}

func (v *verifier) user(header string) (string, error) {
	token, found := strings.CutPrefix(header, "Bearer ")
	if !found {
		return "", errNoToken
	}
	digest := sha256.Sum256([]byte(token))
	v.mu.RLock()
	claims, found := v.known[digest]
	v.mu.RUnlock()
	if found {
		if claims.ExpiresAt.Before(time.Now()) {
			return "", jwt.ErrTokenExpired
		}
		return claims.Subject, nil
	}
	keyOf := func(*jwt.Token) (any, error) { return v.key, nil }
	if _, err := v.parser.ParseWithClaims(token, &claims, keyOf); err != nil {
		return "", err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.known) >= maxRemembered {
		clear(v.known)
	}
	v.known[digest] = claims
	return claims.Subject, nil
}
