package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"k8s.io/client-go/tools/cache"
)

// podsByAddress finds the pod that has an address now. It asks those who gave the address, for the API server learns of
// it only when the pod has long begun to send: the CNI plugin host-local has a file for each address with the id of its
// sandbox, and containerd one for each sandbox with the name of its pod.
type podsByAddress struct {
	addresses string
	sandboxes string
	pods      cache.Indexer

	mutex   sync.Mutex
	changed chan struct{}
	found   map[string]owner
}

type owner struct{ sandbox, pod string }

func newPodsByAddress(informer cache.SharedIndexInformer, addresses, sandboxes string) (*podsByAddress, error) {
	p := &podsByAddress{
		addresses: addresses,
		sandboxes: sandboxes,
		pods:      informer.GetIndexer(),
		changed:   make(chan struct{}),
		found:     map[string]owner{},
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(any) { p.announce() }})
	return p, err
}

// LookupPod is podinfo.IPResolver: namespace and name of the pod.
func (p *podsByAddress) LookupPod(address string) (string, bool) {
	content, err := os.ReadFile(filepath.Join(p.addresses, filepath.Base(address)))
	if err != nil {
		return "", false
	}
	sandbox, _, _ := strings.Cut(string(content), "\n")
	sandbox = filepath.Base(strings.TrimSpace(sandbox))
	p.mutex.Lock()
	known, ok := p.found[address]
	p.mutex.Unlock()
	if ok && known.sandbox == sandbox {
		return known.pod, true
	}
	pod, ok := p.podOf(sandbox)
	if ok {
		p.mutex.Lock()
		p.found[address] = owner{sandbox, pod}
		p.mutex.Unlock()
	}
	return pod, ok
}

func (p *podsByAddress) podOf(sandbox string) (string, bool) {
	content, err := os.ReadFile(filepath.Join(p.sandboxes, sandbox, "config.json"))
	if err != nil {
		return "", false
	}
	var config struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal(content, &config); err != nil {
		return "", false
	}
	namespace := config.Annotations["io.kubernetes.cri.sandbox-namespace"]
	name := config.Annotations["io.kubernetes.cri.sandbox-name"]
	return namespace + "/" + name, namespace != "" && name != ""
}

// wait until the labels of the pod with this address are known, and say whether they are.
func (p *podsByAddress) wait(ctx context.Context, address string) bool {
	for {
		changed := p.next()
		if pod, ok := p.LookupPod(address); !ok {
			return false
		} else if _, exists, err := p.pods.GetByKey(pod); err == nil && exists {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// next is closed when a pod came.
func (p *podsByAddress) next() <-chan struct{} {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.changed
}

func (p *podsByAddress) announce() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
}
