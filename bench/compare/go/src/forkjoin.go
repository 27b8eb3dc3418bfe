// SPDX-License-Identifier: Apache-2.0

package main

/*
#include "forkjoin/fib.h"
#include "forkjoin/stuck.h"
#include "forkjoin/uts.h"
*/
import "C"

import (
	"sync"
	"time"
	"unsafe"
)

func fib(n uint) uint64 {
	if n < 2 {
		return uint64(n)
	}
	var left uint64
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		left = fib(n - 1)
		done.Done()
	}()
	right := fib(n - 2)
	done.Wait()
	return left + right
}

//export go_fib
func go_fib(data *C.struct_fib_data) {
	inside(func() { data.result = C.uint64_t(fib(uint(data.n))) })
}

type node struct {
	state uint64
	depth uint32
	deep  bool
}

var limits []uint32 // those of C, set before a walk

func hash(state uint64) uint64 {
	for round := 0; round < C.UTS_HASH_ROUNDS; round++ {
		state += 0x9e3779b97f4a7c15
		state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9
		state = (state ^ (state >> 27)) * 0x94d049bb133111eb
		state ^= state >> 31
	}
	return state
}

func children(n *node) int {
	draw := uint32(n.state >> 32)
	if n.deep {
		if n.depth == 0 {
			return C.UTS_DEEP_ROOT_CHILDREN
		}
		if draw < 536334041 {
			return C.UTS_DEEP_CHILDREN
		}
		return 0
	}
	if n.depth >= C.UTS_FLAT_DEPTH {
		return 0
	}
	count := 0
	for count < C.UTS_CHILDREN_MAX && draw >= limits[count] {
		count++
	}
	return count
}

func walk(n node) uint64 {
	count := children(&n)
	if count == 0 {
		return 1
	}
	nodes := make([]uint64, count)
	var done sync.WaitGroup
	done.Add(count)
	for i := range nodes {
		go func(child node, out *uint64) {
			*out = walk(child)
			done.Done()
		}(node{hash(n.state + uint64(i)), n.depth + 1, n.deep}, &nodes[i])
	}
	done.Wait()
	sum := uint64(1)
	for _, below := range nodes {
		sum += below
	}
	return sum
}

//export go_uts
func go_uts(data *C.struct_uts_data) {
	limits = unsafe.Slice((*uint32)(&C.uts_limits[0]), C.UTS_CHILDREN_MAX)
	root := node{uint64(data.root.state), uint32(data.root.depth), bool(data.root.deep)}
	inside(func() { data.nodes = C.uint64_t(walk(root)) })
}

//export go_stuck
func go_stuck(data *C.struct_stuck_data) {
	inside(func() {
		var left sync.WaitGroup
		left.Add(C.STUCK_TASKS)
		for i := 0; i < C.STUCK_TASKS; i++ {
			go func(done *C.uint8_t) {
				compute(time.Duration(data.task_ns))
				*done++
				left.Done()
			}(&data.done[i])
		}
		compute(time.Duration(data.own_ns))
		left.Wait()
	})
}
