/* SPDX-License-Identifier: Apache-2.0 */
//! What Rust's standard library and its crates have, as functions that the C peers call with the
//! workload's data. CMake sets a cfg for each crate that is there.

// Older compilers warn of unsafe blocks in unsafe functions, newer ones of their absence; and of a cfg
// that they have not been told of.
#![allow(unused_unsafe, unknown_lints, unexpected_cfgs)]

mod channels;
mod flavours;
mod locks;
mod panics;
mod threads;

use std::sync::atomic::{AtomicU32, Ordering};

/// struct parties_time of C.
#[repr(C)]
pub struct Time {
    run_ns: i64,
    stop: AtomicU32,
}

impl Time {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) != 0
    }
}
