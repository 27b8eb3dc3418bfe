/* SPDX-License-Identifier: Apache-2.0 */
//! What Rust's standard library and its crates have, as functions that the C peers call with the
//! workload's data. CMake sets a cfg for each crate that is there, and `program` where this becomes a
//! program: the peer `std` begins as programs in Rust do, since what their threads cost depends on it
//! (each gets a stack for the report of an overflow).

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

#[cfg(program)]
fn main() {
    use std::ffi::CString;
    use std::os::raw::{c_char, c_int};
    use std::os::unix::ffi::OsStringExt;
    use std::ptr::null;

    extern "C" {
        /// The main function of all peers.
        fn bench_peer_main(argc: c_int, argv: *const *const c_char) -> c_int;
    }
    let arguments: Vec<CString> = std::env::args_os()
        .map(|a| CString::new(a.into_vec()).expect("an argument has no NUL"))
        .collect();
    let mut argv: Vec<*const c_char> = arguments.iter().map(|a| a.as_ptr()).collect();
    argv.push(null());
    let status = unsafe { bench_peer_main(arguments.len() as c_int, argv.as_ptr()) };
    std::process::exit(status);
}
