/* SPDX-License-Identifier: Apache-2.0 */
//! Flat and submitted tasks, waking and idling. The counters of tasks and the clock are C's, so that
//! no layout of a semaphore has to be mirrored here.

use crate::{pool, Shared};
use rayon::prelude::*;
use std::ffi::c_void;
use std::sync::mpsc;

extern "C" {
    fn rayon_flat_run(data: *mut c_void, index: usize);
    fn rayon_grain_run(data: *mut c_void, index: usize);
    fn rayon_submit_run(data: *mut c_void, index: usize);
    fn rayon_wake_run(data: *mut c_void);
    fn rayon_wake_piece(data: *mut c_void);
    fn rayon_idle_run(data: *mut c_void);
    fn bench_first_task_ran();
}

/// One task of the pool spawns `count` tasks and waits for them.
#[no_mangle]
pub unsafe extern "C" fn rayon_flat(data: *mut c_void, count: usize) {
    let shared = Shared(data);
    pool().scope(|scope| {
        for index in 0..count {
            scope.spawn(move |_| unsafe { rayon_flat_run(shared.get(), index) });
        }
    });
}

/// The same with tasks of some length.
#[no_mangle]
pub unsafe extern "C" fn rayon_grain(data: *mut c_void, count: usize) {
    let shared = Shared(data);
    pool().scope(|scope| {
        for index in 0..count {
            scope.spawn(move |_| unsafe { rayon_grain_run(shared.get(), index) });
        }
    });
}

/// The caller, which is no thread of the pool, hands in `count` tasks.
#[no_mangle]
pub unsafe extern "C" fn rayon_submit(data: *mut c_void, count: usize) {
    let shared = Shared(data);
    for index in 0..count {
        pool().spawn(move || unsafe { rayon_submit_run(shared.get(), index) });
    }
}

#[no_mangle]
pub unsafe extern "C" fn rayon_wake_install(data: *mut c_void) {
    let shared = Shared(data);
    pool().install(move || unsafe { rayon_wake_run(shared.get()) });
}

#[no_mangle]
pub unsafe extern "C" fn rayon_wake_share(data: *mut c_void, pieces: usize) {
    let shared = Shared(data);
    pool().install(|| {
        (0..pieces)
            .into_par_iter()
            .for_each(|_| unsafe { rayon_wake_piece(shared.get()) })
    });
}

#[no_mangle]
pub unsafe extern "C" fn rayon_wake_spawn(data: *mut c_void) {
    let shared = Shared(data);
    let (done, wait) = mpsc::sync_channel(1);
    pool().spawn(move || {
        unsafe { rayon_wake_run(shared.get()) };
        done.send(()).expect("somebody waits");
    });
    wait.recv().expect("the task ran");
}

#[no_mangle]
pub unsafe extern "C" fn rayon_idle_work(data: *mut c_void, pieces: usize) {
    let shared = Shared(data);
    pool().scope(|scope| {
        for _ in 0..pieces {
            scope.spawn(move |_| unsafe { rayon_idle_run(shared.get()) });
        }
    });
}

#[no_mangle]
pub extern "C" fn rayon_first_task() {
    pool().install(|| unsafe { bench_first_task_ran() });
}
