package main

import (
	"context"
	"errors"
	"log"
	"time"

	"github.com/florianl/go-nfqueue/v2"
	"github.com/mdlayher/netlink"
)

// Packets that may wait for their verdicts; the kernel drops the next ones, and their senders try again.
const (
	length     = 4096
	readBuffer = 4 << 20
)

// listen judges every packet of the netfilter queue. Each has its own goroutine: one may wait for its pod to be known.
func listen(
	ctx context.Context, number uint16, allows func(context.Context, []byte) bool,
) (*nfqueue.Nfqueue, error) {
	queue, err := nfqueue.Open(&nfqueue.Config{
		NfQueue: number,
		// Packets come as they are, without their checksums made good first: only their headers matter.
		Flags:        nfqueue.NfQaCfgFlagGSO,
		MaxPacketLen: 256,
		MaxQueueLen:  length,
		Copymode:     nfqueue.NfQnlCopyPacket,
		WriteTimeout: 100 * time.Millisecond,
	})
	if err != nil {
		return nil, err
	}
	// A burst waits in the socket; what does not fit is dropped, as what does not fit into the queue, and no error.
	if err := errors.Join(queue.Con.SetReadBuffer(readBuffer), queue.SetOption(netlink.NoENOBUFS, true)); err != nil {
		return nil, err
	}
	judge := func(packet nfqueue.Attribute) int {
		if packet.PacketID == nil || packet.Payload == nil {
			return 0
		}
		go func() {
			verdict := nfqueue.NfDrop
			if allows(ctx, *packet.Payload) {
				verdict = nfqueue.NfAccept
			}
			if err := queue.SetVerdict(*packet.PacketID, verdict); err != nil && ctx.Err() == nil {
				log.Printf("a verdict was not taken: %v", err)
			}
		}()
		return 0
	}
	complain := func(err error) int {
		var failed *netlink.OpError
		if ctx.Err() == nil && (!errors.As(err, &failed) || !failed.Timeout()) {
			log.Printf("reading the queue: %v", err)
		}
		return 0
	}
	return queue, queue.RegisterWithErrorFunc(ctx, judge, complain)
}
