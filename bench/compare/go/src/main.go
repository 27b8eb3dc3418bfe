// SPDX-License-Identifier: Apache-2.0

// Go's implementations, as functions that the C peer calls with the workload's data: a goroutine per
// task and a WaitGroup to wait for them, which is Go's way. Kernels are written in Go, as a call of a
// C function from Go costs more than most of these tasks.
package main

/*
#include "growth/growth.h"
#include "latency/latency.h"
#include "tasks/flat.h"

extern void bench_first_task_ran(void);
extern int64_t bench_now_ns(void);

static inline void wake_task_run(struct wake_data *wake)
{
	wake_task(wake, bench_now_ns());
}
*/
import "C"

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Calls f in a goroutine of its own and waits for it: the one that C has called is bound to C's
// thread, and would be slow to switch.
func inside(f func()) {
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	<-done
}

//export go_start
func go_start(workers C.uint) {
	runtime.GOMAXPROCS(int(workers))
}

// One task spawns them all and waits.
//
//export go_flat
func go_flat(data *C.struct_flat_data) {
	ran := unsafe.Slice((*uint32)(data.ran), int(data.count))
	inside(func() { flat(ran) })
}

func flat(ran []uint32) {
	var left sync.WaitGroup
	left.Add(len(ran))
	for i := range ran {
		go func(counter *uint32) {
			*counter++
			left.Done()
		}(&ran[i])
	}
	left.Wait()
}

// The same by the thread that C has called, which Go may not use for goroutines.
//
//export go_submit
func go_submit(data *C.struct_flat_data) {
	flat(unsafe.Slice((*uint32)(data.ran), int(data.count)))
}

//export go_grain
func go_grain(data *C.struct_grain_data) {
	values := unsafe.Slice((*uint32)(data.values), int(data.count))
	steps := uint32(C.grain_steps)
	inside(func() {
		var left sync.WaitGroup
		left.Add(len(values))
		for i := range values {
			go func(value *uint32) {
				v := *value
				for step := uint32(0); step < steps; step++ {
					v = v*1664525 + 1013904223
				}
				*value = v
				left.Done()
			}(&values[i])
		}
		left.Wait()
	})
}

//export go_wake
func go_wake(wake *C.struct_wake_data) {
	done := make(chan struct{})
	go func() {
		C.wake_task_run(wake)
		close(done)
	}()
	<-done
}

func compute(duration time.Duration) {
	for end := time.Now().Add(duration); time.Now().Before(end); {
	}
}

//export go_idle_work
func go_idle_work(idle *C.struct_idle_data, pieces C.int) {
	var left sync.WaitGroup
	left.Add(int(pieces))
	for i := 0; i < int(pieces); i++ {
		go func() {
			compute(time.Millisecond)
			atomic.AddUint32((*uint32)(unsafe.Pointer(&idle.work_done)), 1)
			left.Done()
		}()
	}
	left.Wait()
}

//export go_first_task
func go_first_task() {
	inside(func() { C.bench_first_task_ran() })
}

func main() {}
