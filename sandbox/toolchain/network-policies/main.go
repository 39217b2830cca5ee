// Network-policies enforces the cluster's NetworkPolicies on its only node, whose CNI plugins enforce none.
//
// The kernel hands over the first packet of each connection from or to a pod (rules.go, queue.go); the engine of
// sigs.k8s.io/kube-network-policies decides on it (judge.go); the rest of the connection goes by itself. While this
// program does not run, everything is let through.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

type options struct {
	kubeconfig string
	node       string
	nameServer netip.Addr
	pods       netip.Prefix
	addresses  string
	sandboxes  string
	bridge     string
	queue      uint
	health     string
}

func main() {
	var o options
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "who to ask for pods, namespaces and policies")
	flag.StringVar(&o.node, "node", "", "name of the node")
	flag.TextVar(&o.nameServer, "name-server", netip.Addr{}, "address at which the node itself answers as kube-dns")
	flag.TextVar(&o.pods, "pods", netip.Prefix{}, "addresses of the node's pods; the first is the bridge's own")
	flag.StringVar(&o.addresses, "addresses", "", "folder in which host-local says which sandbox has an address")
	flag.StringVar(&o.sandboxes, "sandboxes", "", "folder in which containerd has the sandboxes' configuration")
	flag.StringVar(&o.bridge, "bridge", "cni0", "the bridge that pods are on")
	flag.UintVar(&o.queue, "queue", 100, "number of the netfilter queue")
	flag.StringVar(&o.health, "health", "", "host:port that answers 200 while policies are enforced")
	flag.Parse()
	log.SetFlags(log.LstdFlags)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal(err)
	}
}

// run enforces until the context ends.
func run(ctx context.Context, o options) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	judge, err := newJudge(factory, o)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return errors.New("interrupted before all of " + kind.String() + " were known")
		}
	}
	queue, err := listen(ctx, uint16(o.queue), judge.allows)
	if err != nil {
		return err
	}
	defer queue.Close()
	rules := rules{bridge: o.bridge, queue: o.queue}
	if err := rules.install(); err != nil {
		return err
	}
	defer rules.remove()
	log.Printf("enforcing on %s", o.bridge)
	return answer(ctx, o.health)
}

// answer says that policies are enforced to whoever asks, until the context ends.
func answer(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
		ReadHeaderTimeout: time.Second,
	}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
