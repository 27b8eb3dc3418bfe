// SPDX-License-Identifier: Apache-2.0

package main

/*
#include "channels/channels.h"
*/
import "C"

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

func over(time *C.struct_parties_time) bool {
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(&time.stop))) != 0
}

// What all messages are made of: word 0 is a number.
type message interface {
	[1]uint64 | [8]uint64 | [128]uint64
}

func first[M message](m *M) *uint64 {
	return (*uint64)(unsafe.Pointer(m))
}

type tally struct{ count, sum uint64 }

func (t *tally) add(number uint64) {
	t.count++
	t.sum += number
}

func (t *tally) store(to *C.struct_channels_tally) {
	to.count, to.sum = C.uint64_t(t.count), C.uint64_t(t.sum)
}

func send[M message](data *C.struct_channels_data, number int, tx chan<- M) {
	var sent tally
	var m M
	for again := true; again; again = !over(&data.time) {
		for i := 0; i < C.CHANNELS_BATCH; i++ {
			*first(&m) = sent.count
			sent.add(sent.count)
			tx <- m
		}
	}
	sent.store(&data.tallies[number])
}

func recv[M message](data *C.struct_channels_data, number int, rx <-chan M) {
	var received tally
	for m := range rx {
		received.add(*first(&m))
	}
	received.store(&data.tallies[number])
}

// The senders and the receivers of one channel, which the last sender closes.
func stream[M message](data *C.struct_channels_data) {
	channel := make(chan M, int(data.capacity))
	var senders, receivers sync.WaitGroup
	for i := 0; i < int(data.senders); i++ {
		senders.Add(1)
		go func(number int) {
			send(data, number, channel)
			senders.Done()
		}(i)
	}
	for i := 0; i < int(data.receivers); i++ {
		receivers.Add(1)
		go func(number int) {
			recv(data, number, channel)
			receivers.Done()
		}(int(data.senders) + i)
	}
	senders.Wait()
	close(channel)
	receivers.Wait()
}

func oneParty(data *C.struct_channels_data) {
	var sent, received tally
	channel := make(chan uint64, int(data.capacity))
	for again := true; again; again = !over(&data.time) {
		for i := 0; i < C.CHANNELS_BATCH; i++ {
			channel <- sent.count
			sent.add(sent.count)
			received.add(<-channel)
		}
	}
	sent.store(&data.tallies[0])
	received.store(&data.tallies[1])
}

func pingPong(data *C.struct_channels_data) {
	there := make(chan uint64, int(data.capacity))
	back := make(chan uint64, int(data.capacity))
	go func() {
		var received tally
		for number := range there {
			received.add(number)
			back <- number
		}
		received.store(&data.tallies[1])
		close(back)
	}()
	var received tally
	for again := true; again; again = !over(&data.time) {
		for i := 0; i < C.CHANNELS_BATCH; i++ {
			there <- received.count
			received.add(<-back)
		}
	}
	received.store(&data.tallies[0])
	close(there)
	<-back
}

func four(data *C.struct_channels_data) (channels [C.CHANNELS_SELECT]chan uint64) {
	for i := range channels {
		channels[i] = make(chan uint64, int(data.capacity))
	}
	return
}

func selectReady(data *C.struct_channels_data) {
	var sent, received tally
	c := four(data)
	for again := true; again; again = !over(&data.time) {
		for i := 0; i < C.CHANNELS_BATCH; i++ {
			c[sent.count%C.CHANNELS_SELECT] <- sent.count
			sent.add(sent.count)
			select {
			case number := <-c[0]:
				received.add(number)
			case number := <-c[1]:
				received.add(number)
			case number := <-c[2]:
				received.add(number)
			case number := <-c[3]:
				received.add(number)
			}
		}
	}
	sent.store(&data.tallies[0])
	received.store(&data.tallies[1])
}

func selectNone(data *C.struct_channels_data) {
	var tried, none tally
	c := four(data)
	for again := true; again; again = !over(&data.time) {
		for i := 0; i < C.CHANNELS_BATCH; i++ {
			tried.add(0)
			select {
			case <-c[0]:
			case <-c[1]:
			case <-c[2]:
			case <-c[3]:
			default:
				none.add(0)
			}
		}
	}
	tried.store(&data.tallies[0])
	none.store(&data.tallies[1])
}

func selectStream(data *C.struct_channels_data) {
	c := four(data)
	const last = ^uint64(0)
	for i := range c {
		go func(number int) {
			var sent tally
			for again := true; again; again = !over(&data.time) {
				for i := 0; i < C.CHANNELS_BATCH; i++ {
					c[number] <- sent.count
					sent.add(sent.count)
				}
			}
			sent.store(&data.tallies[number])
			c[number] <- last
		}(i)
	}
	var received tally
	for left := len(c); left > 0; {
		var number uint64
		select {
		case number = <-c[0]:
		case number = <-c[1]:
		case number = <-c[2]:
		case number = <-c[3]:
		}
		if number == last {
			left--
		} else {
			received.add(number)
		}
	}
	received.store(&data.tallies[len(c)])
}

//export go_channels
func go_channels(pointer unsafe.Pointer) {
	data := (*C.struct_channels_data)(pointer)
	inside(func() {
		switch data.kind {
		case C.CHANNELS_ONE_PARTY:
			oneParty(data)
		case C.CHANNELS_PING_PONG:
			pingPong(data)
		case C.CHANNELS_SELECT_READY:
			selectReady(data)
		case C.CHANNELS_SELECT_NONE:
			selectNone(data)
		case C.CHANNELS_SELECT_STREAM:
			selectStream(data)
		case C.CHANNELS_STREAM:
			switch data.message_bytes {
			case 8:
				stream[[1]uint64](data)
			case 64:
				stream[[8]uint64](data)
			case 1024:
				stream[[128]uint64](data)
			}
		}
	})
}
