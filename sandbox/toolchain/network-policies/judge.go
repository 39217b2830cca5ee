package main

import (
	"context"
	"log"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"sigs.k8s.io/kube-network-policies/pkg/api"
	"sigs.k8s.io/kube-network-policies/pkg/network"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
	"sigs.k8s.io/kube-network-policies/pkg/podinfo"
)

// The watch may show a pod a moment after the kubelet saw it: its first packets are held so long.
const patience = 3 * time.Second

// judge decides on the first packets of connections.
type judge struct {
	known      *podsByAddress
	pods       netip.Prefix
	bridge     netip.Addr
	nameServer netip.Addr
	engine     *networkpolicy.PolicyEngine
	// The same for questions to the name server, which is the node's own process here and a pod everywhere else.
	naming *networkpolicy.PolicyEngine
}

func newJudge(factory informers.SharedInformerFactory, o options) (*judge, error) {
	pods, namespaces := factory.Core().V1().Pods(), factory.Core().V1().Namespaces()
	known, err := newPodsByAddress(pods.Informer(), o.addresses, o.sandboxes)
	if err != nil {
		return nil, err
	}
	provider := podinfo.NewInformerProvider(pods, namespaces, nil, []podinfo.IPResolver{known})
	evaluators := []api.PolicyEvaluator{
		networkpolicy.NewStandardNetworkPolicy(o.node, namespaces, pods, factory.Networking().V1().NetworkPolicies()),
	}
	return &judge{
		known:      known,
		pods:       o.pods.Masked(),
		bridge:     o.pods.Masked().Addr().Next(),
		nameServer: o.nameServer,
		engine:     networkpolicy.NewPolicyEngine(provider, evaluators),
		naming:     networkpolicy.NewPolicyEngine(withNameServer{provider, o.nameServer.String()}, evaluators),
	}, nil
}

// allows says whether the connection that begins with this packet may be. What cannot be read or whose pod nobody
// knows may not: a client tries again by itself.
func (j *judge) allows(ctx context.Context, payload []byte) (allowed bool) {
	defer func() {
		// The parser of packets trusts the lengths in them.
		if cause := recover(); cause != nil {
			log.Printf("denied: a packet that cannot be read: %v", cause)
			allowed = false
		}
	}()
	packet, err := network.ParsePacket(payload)
	if err != nil {
		log.Printf("denied: a packet that cannot be read: %v", err)
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, end := range []string{packet.SrcIP.String(), packet.DstIP.String()} {
		if j.ofPod(end) && !j.known.wait(ctx, end) {
			log.Printf("denied: %s; nobody knows the pod %s", said(packet), end)
			return false
		}
	}
	engine := j.engine
	if packet.DstPort == 53 && packet.DstIP.String() == j.nameServer.String() {
		engine = j.naming
	}
	allowed, err = engine.EvaluatePacket(ctx, &packet)
	if err != nil {
		log.Printf("denied: %s: %v", said(packet), err)
		return false
	}
	if !allowed {
		log.Printf("denied: %s", said(packet))
	}
	return allowed
}

func (j *judge) ofPod(address string) bool {
	parsed, err := netip.ParseAddr(address)
	return err == nil && j.pods.Contains(parsed) && parsed != j.bridge
}

func said(p network.Packet) string {
	from := netip.AddrPortFrom(netip.MustParseAddr(p.SrcIP.String()), uint16(p.SrcPort))
	to := netip.AddrPortFrom(netip.MustParseAddr(p.DstIP.String()), uint16(p.DstPort))
	return from.String() + " to " + to.String() + " " + string(p.Proto)
}

// withNameServer knows one more pod: the one that would serve names, had this cluster one.
type withNameServer struct {
	api.PodInfoProvider
	address string
}

func (w withNameServer) GetPodInfoByIP(address string) (*api.PodInfo, bool) {
	if address != w.address {
		return w.PodInfoProvider.GetPodInfoByIP(address)
	}
	return &api.PodInfo{
		Name:   "coredns",
		Labels: map[string]string{"k8s-app": "kube-dns"},
		Namespace: &api.Namespace{
			Name:   "kube-system",
			Labels: map[string]string{corev1.LabelMetadataName: "kube-system"},
		},
	}, true
}
