/* SPDX-License-Identifier: Apache-2.0 */
//! Threads, park and unpark, Arc.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;

/// struct threads_data of C.
#[repr(C)]
pub struct ThreadsData {
    count: u64,
    done: u64,
}

/// A pointer that a thread may take along; whoever started it waits for it.
struct Lent(*mut ThreadsData);
unsafe impl Send for Lent {}

#[no_mangle]
pub extern "C" fn std_thread_spawn(data: *mut ThreadsData) {
    let count = unsafe { (*data).count };
    for _ in 0..count {
        let lent = Lent(data);
        thread::spawn(move || {
            let lent = lent;
            unsafe { (*lent.0).done += 1 }
        })
        .join()
        .expect("the thread does not panic");
    }
}

#[no_mangle]
pub extern "C" fn std_park(data: *mut ThreadsData) {
    let work = unsafe { &mut *data };
    let me = thread::current();
    for _ in 0..work.count {
        me.unpark();
        thread::park();
        work.done += 1;
    }
}

fn hand_over(turn: &AtomicBool, mine: bool, other: &thread::Thread) {
    while turn.load(Ordering::Acquire) != mine {
        thread::park();
    }
    turn.store(!mine, Ordering::Release);
    other.unpark();
}

#[no_mangle]
pub extern "C" fn std_park_pair(data: *mut ThreadsData) {
    let work = unsafe { &mut *data };
    let count = work.count;
    let turn = AtomicBool::new(false);
    let caller = thread::current();
    thread::scope(|s| {
        let turn = &turn;
        let other = s.spawn(move || {
            for _ in 0..count {
                hand_over(turn, true, &caller);
            }
            count
        });
        for _ in 0..count {
            hand_over(turn, false, other.thread());
        }
        work.done = count + other.join().expect("the thread does not panic");
    });
}

fn clone_and_drop(count: u64, value: &Arc<u64>) {
    for _ in 0..count {
        drop(black_box(Arc::clone(value)));
    }
}

#[no_mangle]
pub extern "C" fn std_arc(data: *mut ThreadsData) {
    let work = unsafe { &mut *data };
    let value = Arc::new(0);
    clone_and_drop(work.count, &value);
    work.done = if Arc::strong_count(&value) == 1 {
        work.count
    } else {
        0
    };
}

#[no_mangle]
pub extern "C" fn std_arc_2(data: *mut ThreadsData) {
    let work = unsafe { &mut *data };
    let value = Arc::new(0);
    let count = work.count;
    thread::scope(|s| {
        s.spawn(|| clone_and_drop(count, &value));
        clone_and_drop(count, &value);
    });
    work.done = if Arc::strong_count(&value) == 1 {
        2 * count
    } else {
        0
    };
}
