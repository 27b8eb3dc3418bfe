/* SPDX-License-Identifier: Apache-2.0 */
//! Rayon's implementations, as functions that the C peer calls with the workload's data. Nodes with
//! several children split by binary joins, which is Rayon's way; `panic = "abort"` spares it the
//! catching of panics.

// Older compilers warn of unsafe blocks in unsafe functions, newer ones of their absence.
#![allow(unused_unsafe)]

mod forkjoin;
mod numeric;
mod tasks;

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

static POOL: AtomicPtr<ThreadPool> = AtomicPtr::new(ptr::null_mut());

/// The pool that rayon_start has started; it lives as long as the process.
fn pool() -> &'static ThreadPool {
    unsafe { POOL.load(Ordering::Acquire).as_ref() }.expect("rayon_start was called")
}

/// Starts the pool. The deep tree overflows Rayon's usual stacks of 2 MiB.
#[no_mangle]
pub extern "C" fn rayon_start(workers: u32) {
    let pool = ThreadPoolBuilder::new()
        .num_threads(workers as usize)
        .stack_size(64 << 20)
        .build()
        .expect("a pool can be started");
    POOL.store(Box::into_raw(Box::new(pool)), Ordering::Release);
}

/// A pointer that several tasks may use, each on a part of its own.
struct Shared<T>(*mut T);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Shared<T> {}
unsafe impl<T> Send for Shared<T> {}
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    fn get(self) -> *mut T {
        self.0
    }

    unsafe fn add(self, count: usize) -> Self {
        Shared(self.0.add(count))
    }
}
