package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const chain = "NETWORK-POLICIES"

// rules are those of the kernel that lead here. In the table that comes last: addresses of Services are pods' by then,
// and what kube-proxy refuses, such as a Service without pods, its client has been told.
type rules struct {
	bridge string
	queue  uint
}

func (r rules) install() error {
	// Packets from pod to pod never leave the bridge, and would else not be looked at.
	for _, family := range []string{"iptables", "ip6tables"} {
		if err := os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-"+family, []byte("1"), 0); err != nil {
			return err
		}
	}
	queued := strings.Fields("-m conntrack ! --ctstate RELATED,ESTABLISHED -j NFQUEUE --queue-bypass --queue-num")
	queued = append(queued, strconv.FormatUint(uint64(r.queue), 10))
	if err := r.lead("iptables", queued); err != nil {
		return err
	}
	// The cluster has no IPv6 addresses. Pods on one bridge have link-local ones all the same, which no policy names.
	return r.lead("ip6tables", []string{"-j", "DROP"})
}

// lead what is from or to the bridge to a target.
func (r rules) lead(command string, target []string) error {
	// A former run may have ended without its last words.
	sweep(command)
	if err := tables(command, "-N", chain); err != nil {
		return err
	}
	for _, direction := range []string{"-i", "-o"} {
		if err := tables(command, append([]string{"-A", chain, direction, r.bridge}, target...)...); err != nil {
			return err
		}
	}
	for _, hook := range []string{"FORWARD", "INPUT"} {
		if err := tables(command, "-A", hook, "-j", chain); err != nil {
			return err
		}
	}
	return nil
}

func (r rules) remove() {
	for _, command := range []string{"iptables", "ip6tables"} {
		sweep(command)
	}
	log.Print("everything is let through")
}

// sweep away what is there; that nothing is there is no error.
func sweep(command string) {
	for _, hook := range []string{"FORWARD", "INPUT"} {
		for tables(command, "-D", hook, "-j", chain) == nil {
		}
	}
	_ = tables(command, "-F", chain)
	_ = tables(command, "-X", chain)
}

func tables(command string, arguments ...string) error {
	arguments = append([]string{"--wait", "--table", "security"}, arguments...)
	if output, err := exec.Command(command, arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %s", command, strings.Join(arguments, " "), strings.TrimSpace(string(output)))
	}
	return nil
}
