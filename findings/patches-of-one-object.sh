#!/usr/bin/env bash
# Patches of one object, ten a second, that take up to eight seconds: of those that reach etcd during one commit, the API server's storage
# gets one through, and which one is a matter of luck.
#
# Versions: Go modules k8s.io/apiserver v0.37.2, go.etcd.io/etcd v3.7.0.
#
# etcd commits many writes at once, so that a disk that takes 0.2 s for it holds no write up for much longer than that. But of writes of
# the same object only the first succeeds; GuaranteedUpdate tries the others again at once, without a pause and without a queue
# (https://github.com/kubernetes/kubernetes/issues/122070), each with a commit that is for nothing. As soon as more of them arrive than there
# are commits they pile up, the first to come may be one of the last to go, and no log of etcd shows a write that took longer.
# The script has the API server's storage on an etcd of its own, whose writes wait as long as a commit takes.
#
# Seen, on two cores that were busy:
#   20 at once, a commit takes 0.1 s, objects: 20; all ended after 0.1 s, the first to come was number 9 to go
#   20 at once, a commit takes 0.1 s, objects:  1; all ended after 2.2 s, the first to come was number 17 to go
#   10 a second for 5 s, a commit takes 0.02 s, objects:  1; the longest took 0.5 s
#   10 a second for 5 s, a commit takes 0.20 s, objects: 20; the longest took 0.3 s
#   10 a second for 5 s, a commit takes 0.20 s, objects:  1; the longest took 7.9 s
#
# So a prober that writes one object measures a queue of its own: let each request write another object.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >go.mod <<'EOF'
module finding

go 1.26

require (
	go.etcd.io/etcd/client/v3 v3.7.0
	go.etcd.io/etcd/server/v3 v3.7.0
	k8s.io/api v0.37.2
	k8s.io/apimachinery v0.37.2
	k8s.io/apiserver v0.37.2
	k8s.io/client-go v0.37.2
)
EOF
cat >main.go <<'EOF'
package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/apiserver/pkg/storage/value/encrypt/identity"
	"k8s.io/client-go/kubernetes/scheme"
)

var ctx = context.Background()

// How long a commit takes.
var commit atomic.Int64

func main() {
	store := storageOnEtcd()
	update(store, 1, 1, 0)

	commit.Store(int64(100 * time.Millisecond))
	for _, objects := range []int{20, 1} {
		waits := update(store, 20, objects, 0)
		longest := slices.Max(waits)
		place := slices.Index(slices.Sorted(slices.Values(waits)), waits[0]) + 1
		fmt.Printf("20 at once, a commit takes 0.1 s, objects: %2d; all ended after %.1f s, the first to come was number %d to go\n",
			objects, longest.Seconds(), place)
		expect((longest > 1500*time.Millisecond) == (objects == 1))
	}
	for _, one := range []struct {
		commit  time.Duration
		objects int
	}{{20 * time.Millisecond, 1}, {200 * time.Millisecond, 20}, {200 * time.Millisecond, 1}} {
		commit.Store(int64(one.commit))
		longest := slices.Max(update(store, 50, one.objects, 100*time.Millisecond))
		fmt.Printf("10 a second for 5 s, a commit takes %.2f s, objects: %2d; the longest took %.1f s\n",
			one.commit.Seconds(), one.objects, longest.Seconds())
		expect((longest > 3*time.Second) == (one.objects == 1 && one.commit == 200*time.Millisecond))
	}
}

// update starts so many updates, one after another, of so many objects in turn; it returns how long each took.
func update(store storage.Interface, count, objects int, every time.Duration) []time.Duration {
	waits := make([]time.Duration, count)
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() {
			start := time.Now()
			key := fmt.Sprintf("/configmaps/default/object-%d", i%objects)
			check(store.GuaranteedUpdate(ctx, key, &corev1.ConfigMap{}, true, nil,
				storage.SimpleUpdate(func(object runtime.Object) (runtime.Object, error) {
					configMap := object.(*corev1.ConfigMap)
					configMap.Data = map[string]string{"number": fmt.Sprint(i), "time": fmt.Sprint(time.Now())}
					return configMap, nil
				}), nil))
			waits[i] = time.Since(start)
		})
		time.Sleep(every)
	}
	all.Wait()
	return waits
}

// storageOnEtcd returns the storage of an API server, on an etcd whose commits take a while.
func storageOnEtcd() storage.Interface {
	config := embed.NewConfig()
	config.Dir = "data"
	clients, peers := url.URL{Scheme: "unix", Host: "clients:0"}, url.URL{Scheme: "unix", Host: "peers:0"}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{clients}, []url.URL{clients}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peers}, []url.URL{peers}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	etcd, err := embed.StartEtcd(config)
	check(err)
	<-etcd.Server.ReadyNotify()
	client, err := kubernetes.New(clientv3.Config{
		Endpoints: []string{clients.String()},
		DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, request, reply any,
			connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
			if strings.HasSuffix(method, "/Txn") {
				time.Sleep(time.Duration(commit.Load()))
			}
			return invoke(ctx, method, request, reply, connection, options...)
		})},
	})
	check(err)
	codec := scheme.Codecs.LegacyCodec(corev1.SchemeGroupVersion)
	versioner := storage.APIObjectVersioner{}
	store, err := etcd3.New(client, nil, codec,
		func() runtime.Object { return &corev1.ConfigMap{} }, func() runtime.Object { return &corev1.ConfigMapList{} },
		"/registry", "/configmaps", corev1.Resource("configmaps"), identity.NewEncryptCheckTransformer(),
		etcd3.NewDefaultLeaseManagerConfig(), etcd3.NewDefaultDecoder(codec, versioner), versioner)
	check(err)
	return store
}

func expect(asBefore bool) {
	if !asBefore {
		check(errors.New("the behaviour has changed"))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
EOF

GOWORK=off GOFLAGS=-mod=mod go run .
