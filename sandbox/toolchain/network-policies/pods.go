package main

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

const byAddress = "address"

// knownPods finds the pod that has an address now. An address is given to another pod when its pod has ended, which
// stays in the API for long: those that ended do not count (the package's own resolver prefers a running pod, and a
// new one is not called running before its first packets).
type knownPods struct {
	indexer cache.Indexer
	mutex   sync.Mutex
	changed chan struct{}
}

func newKnownPods(informer cache.SharedIndexInformer) (*knownPods, error) {
	known := &knownPods{indexer: informer.GetIndexer(), changed: make(chan struct{})}
	if err := informer.AddIndexers(cache.Indexers{byAddress: addresses}); err != nil {
		return nil, err
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { known.announce() },
		UpdateFunc: func(_, _ any) { known.announce() },
	})
	return known, err
}

func addresses(object any) ([]string, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok || pod.Spec.HostNetwork || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return nil, nil
	}
	found := make([]string, 0, len(pod.Status.PodIPs))
	for _, address := range pod.Status.PodIPs {
		found = append(found, address.IP)
	}
	return found, nil
}

// LookupPod is podinfo.IPResolver: the key of the pod with this address, the youngest should one be about to go.
func (k *knownPods) LookupPod(address string) (string, bool) {
	objects, err := k.indexer.ByIndex(byAddress, address)
	if err != nil {
		return "", false
	}
	var youngest *corev1.Pod
	for _, object := range objects {
		pod, ok := object.(*corev1.Pod)
		if ok && (youngest == nil || youngest.CreationTimestamp.Before(&pod.CreationTimestamp)) {
			youngest = pod
		}
	}
	if youngest == nil {
		return "", false
	}
	return youngest.Namespace + "/" + youngest.Name, true
}

// wait until the pod with this address is known, and say whether it is.
func (k *knownPods) wait(ctx context.Context, address string) bool {
	for {
		changed := k.next()
		if _, ok := k.LookupPod(address); ok {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// next is closed when something has changed.
func (k *knownPods) next() <-chan struct{} {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return k.changed
}

func (k *knownPods) announce() {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	close(k.changed)
	k.changed = make(chan struct{})
}
