#!/usr/bin/env bash
# A client of client-go whose certificate has been renewed in its file: the first request over a new connection fails, every later one
# succeeds.
#
# Version: Go module k8s.io/client-go v0.36.4.
#
# The file is looked at every five minutes and at each handshake. When another certificate is found, all connections of the client are
# closed, so that none goes on with the former one. At a handshake that includes the connection of this handshake itself: what was to be
# sent over it fails with "use of closed network connection", although the certificate is good, and net/http does not try again.
# An API server is such a client of kubelets (--kubelet-client-certificate): the first `kubectl logs` or `kubectl exec` through each API
# server after a renewal may get 503. Other components ask again by themselves.
#
# Seen:
#   at first:                                     answered as first
#   renewed, over the connection that is open:    answered as first
#   renewed, over a new connection:               use of closed network connection
#   renewed, over the next new connection:        answered as second
#   not renewed, over a new connection:           answered as second
#
# So a check that comes right after a renewal asks twice.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >go.mod <<'MOD'
module finding

go 1.26

require k8s.io/client-go v0.36.4
MOD
cat >main.go <<'GO'
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// writePair puts a client's certificate and key of that name into the files, as a renewal does.
func writePair(name string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotAfter:     time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	check(err)
	for file, block := range map[string]*pem.Block{
		"client.key": {Type: "PRIVATE KEY", Bytes: private},
		"client.crt": {Type: "CERTIFICATE", Bytes: certificate},
	} {
		check(os.WriteFile(file+".new", pem.EncodeToMemory(block), 0o600))
		check(os.Rename(file+".new", file))
	}
}

func main() {
	writePair("first")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()

	client, err := rest.HTTPClientFor(&rest.Config{
		Host:            server.URL,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true, CertFile: "client.crt", KeyFile: "client.key"},
	})
	check(err)
	ask := func(when string) string {
		said := ""
		response, err := client.Get(server.URL)
		if err != nil {
			parts := strings.Split(err.Error(), ": ")
			said = parts[len(parts)-1]
		} else {
			text, err := io.ReadAll(response.Body)
			check(err)
			check(response.Body.Close())
			said = "answered as " + string(text)
		}
		fmt.Printf("%-45s %s\n", when+":", said)
		return said
	}

	got := []string{ask("at first")}
	writePair("second")
	got = append(got, ask("renewed, over the connection that is open"))
	server.CloseClientConnections()
	time.Sleep(2 * time.Second)
	got = append(got, ask("renewed, over a new connection"))
	got = append(got, ask("renewed, over the next new connection"))
	server.CloseClientConnections()
	time.Sleep(2 * time.Second)
	got = append(got, ask("not renewed, over a new connection"))
	want := []string{"answered as first", "answered as first", "use of closed network connection", "answered as second", "answered as second"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		log.Fatalf("that is another behaviour than was seen: %q", want)
	}
}
GO

GOWORK=off GOFLAGS=-mod=mod go run . 2> >(grep -v '^go: ' >&2)
