// SPDX-License-Identifier: Apache-2.0

package main

/*
#include "locks/locks.h"
*/
import "C"

import "sync"

var mutex sync.Mutex
var rwlock sync.RWMutex

func parties(data *C.struct_locks_data, party func(number int)) {
	inside(func() {
		var left sync.WaitGroup
		left.Add(int(data.parties))
		for i := 0; i < int(data.parties); i++ {
			go func(number int) {
				party(number)
				left.Done()
			}(i)
		}
		left.Wait()
	})
}

func turns(data *C.struct_locks_data, turn func()) {
	rounds := uint64(data.rounds)
	inside(func() {
		for i := uint64(0); i < rounds; i++ {
			turn()
		}
	})
	data.counts[0] = data.rounds
}

//export go_mutex
func go_mutex(data *C.struct_locks_data) {
	turns(data, func() { mutex.Lock(); mutex.Unlock() })
}

//export go_rwlock_read
func go_rwlock_read(data *C.struct_locks_data) {
	turns(data, func() { rwlock.RLock(); rwlock.RUnlock() })
}

//export go_rwlock_write
func go_rwlock_write(data *C.struct_locks_data) {
	turns(data, func() { rwlock.Lock(); rwlock.Unlock() })
}

// locks_work of C, which a call from Go would take too long to reach. Go keeps empty loops.
//
//go:noinline
func work(units uint32) {
	for i := uint32(0); i < units; i++ {
	}
}

//export go_mutex_parties
func go_mutex_parties(data *C.struct_locks_data) {
	units, shared := uint32(data.inside), (*uint64)(&data.shared)
	parties(data, func(number int) {
		count := uint64(0)
		for ; !over(&data.time); count++ {
			mutex.Lock()
			*shared++
			work(units)
			mutex.Unlock()
			work(units)
		}
		data.counts[number] = C.uint64_t(count)
	})
}

//export go_rwlock_parties
func go_rwlock_parties(data *C.struct_locks_data) {
	units, shared := uint32(data.inside), (*uint64)(&data.shared)
	percent := uint32(data.read_percent)
	parties(data, func(number int) {
		var reads, writes uint64
		random := uint32(number + 1)
		for !over(&data.time) {
			random ^= random << 13
			random ^= random >> 17
			random ^= random << 5
			if random%100 < percent {
				rwlock.RLock()
				work(units)
				rwlock.RUnlock()
				reads++
			} else {
				rwlock.Lock()
				*shared++
				work(units)
				rwlock.Unlock()
				writes++
			}
			work(units)
		}
		data.counts[number], data.reads[number] = C.uint64_t(writes), C.uint64_t(reads)
	})
}

//export go_handoff
func go_handoff(data *C.struct_locks_data) {
	var ring [3]sync.Mutex
	var meet sync.WaitGroup
	meet.Add(2)
	rounds := uint64(data.rounds)
	parties(data, func(number int) {
		mine := number
		ring[mine].Lock()
		meet.Done()
		meet.Wait()
		for i := uint64(0); i < rounds; i++ {
			next := mine + 1
			if next == 3 {
				next = 0
			}
			ring[next].Lock()
			ring[mine].Unlock()
			mine = next
			data.counts[number]++
		}
		ring[mine].Unlock()
	})
}

//export go_condvar
func go_condvar(data *C.struct_locks_data) {
	condvar := sync.NewCond(&mutex)
	turn := 0
	rounds := uint64(data.rounds)
	parties(data, func(number int) {
		mutex.Lock()
		for i := uint64(0); i < rounds; i++ {
			for turn != number {
				condvar.Wait()
			}
			turn = 1 - number
			data.counts[number]++
			condvar.Signal()
		}
		mutex.Unlock()
	})
}
