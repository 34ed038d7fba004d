package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// runKeys writes public.pem and tokens.txt. The tokens expire after a day, and the private key is never written.
func runKeys(args []string) any {
	flags := flag.NewFlagSet("keys", flag.ExitOnError)
	dir := flags.String("dir", ".", "where to write public.pem and tokens.txt")
	count := flags.Int("count", 1, "number of tokens, each of another user")
	_ = flags.Parse(args)

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	check(err)
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	check(os.WriteFile(filepath.Join(*dir, "public.pem"), publicPEM, 0o600))
	tokens := make([]string, *count)
	for i := range tokens {
		tokens[i] = sign(key, fmt.Sprintf("user-%d", i))
	}
	check(os.WriteFile(filepath.Join(*dir, "tokens.txt"), []byte(strings.Join(tokens, "\n")+"\n"), 0o600))
	return map[string]any{"tokens": *count}
}

func sign(key *rsa.PrivateKey, user string) string {
	part := func(value map[string]any) string {
		text, err := json.Marshal(value)
		check(err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	now := time.Now().Unix()
	signed := part(map[string]any{"alg": "RS256", "typ": "JWT", "kid": "bench"}) + "." +
		part(map[string]any{"sub": user, "aud": "onsale", "iss": "onsale-bench", "iat": now, "exp": now + 86_400})
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	check(err)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}
