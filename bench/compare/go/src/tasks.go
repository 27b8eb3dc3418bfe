// SPDX-License-Identifier: Apache-2.0

package main

/*
#include "tasks/blocked.h"
#include "tasks/switching.h"
#include "tasks/timers.h"
*/
import "C"

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

//export go_task_yield
func go_task_yield(data *C.struct_switching_data) {
	rounds := uint64(data.rounds)
	inside(func() {
		var left sync.WaitGroup
		left.Add(2)
		for i := 0; i < 2; i++ {
			go func(number int) {
				for i := uint64(0); i < rounds; i++ {
					runtime.Gosched()
					data.done[number]++
				}
				left.Done()
			}(i)
		}
		left.Wait()
	})
}

//export go_task_run
func go_task_run(data *C.struct_switching_data) {
	rounds := uint64(data.rounds)
	inside(func() {
		ended := make(chan struct{})
		for i := uint64(0); i < rounds; i++ {
			go func() {
				data.done[0]++
				ended <- struct{}{}
			}()
			<-ended
		}
	})
}

//export go_task_wait
func go_task_wait(data *C.struct_switching_data) {
	inside(func() {
		for i := uint64(0); i < uint64(data.rounds); i += C.SWITCHING_GROUP {
			var here, left sync.WaitGroup
			here.Add(C.SWITCHING_GROUP)
			left.Add(C.SWITCHING_GROUP)
			gate := make(chan struct{})
			for k := 0; k < C.SWITCHING_GROUP; k++ {
				go func(k int) {
					here.Done()
					<-gate
					data.ran[k]++
					left.Done()
				}(k)
			}
			here.Wait()
			close(gate)
			left.Wait()
		}
	})
}

//export go_task_wait_alone
func go_task_wait_alone(data *C.struct_switching_data) {
	rounds := uint64(data.rounds)
	inside(func() {
		here, answered, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
		for i := uint64(0); i < rounds; i++ {
			go func() {
				here <- struct{}{}
				<-answered
				data.done[0]++
				ended <- struct{}{}
			}()
			<-here
			answered <- struct{}{}
			<-ended
		}
	})
}

// blocked_arrive and blocked_end of C.
func arrive(data *C.struct_blocked_data) bool {
	return atomic.AddUint64((*uint64)(unsafe.Pointer(&data.arrived)), 1) == uint64(data.count)
}

func end(data *C.struct_blocked_data) {
	atomic.AddUint64((*uint64)(unsafe.Pointer(&data.ended)), 1)
}

//export go_blocked_run
func go_blocked_run(data *C.struct_blocked_data) {
	inside(func() {
		gate := make(chan struct{})
		complete := make(chan struct{})
		var left sync.WaitGroup
		left.Add(int(data.count))
		for i := 0; i < int(data.count); i++ {
			go func() {
				if arrive(data) {
					close(complete)
				}
				<-gate
				end(data)
				left.Done()
			}()
		}
		<-complete
		C.blocked_complete(data)
		close(gate)
		left.Wait()
	})
}

// timers_duration_ns of C.
func duration(index uint64) time.Duration {
	z := (index + 1) * 0x9e3779b97f4a7c15
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	z ^= z >> 31
	return time.Duration(200000000 + z%100000000)
}

//export go_timers_run
func go_timers_run(data *C.struct_timers_data) {
	late := unsafe.Slice((*int64)(data.late_ns), int(data.count))
	inside(func() {
		var left sync.WaitGroup
		left.Add(len(late))
		for i := range late {
			go func(index int) {
				wanted := duration(uint64(index))
				start := time.Now()
				time.Sleep(wanted)
				late[index] = int64(time.Since(start) - wanted)
				left.Done()
			}(i)
		}
		left.Wait()
	})
}
