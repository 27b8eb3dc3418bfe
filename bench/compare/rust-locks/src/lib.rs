/* SPDX-License-Identifier: Apache-2.0 */
//! The locks of Rust's standard library and of parking_lot, as functions that the C peers call: one for
//! each party, which returns how often it had the lock.

// Older compilers warn of unsafe blocks in unsafe functions, newer ones of their absence.
#![allow(unused_unsafe)]

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

/// What the parties of a run share; of C's struct locks_data.
#[repr(C)]
pub struct Run {
    stop: *const u32,
    shared: *mut u64,
    inside: u32,
    read_percent: u32,
    rounds: u64,
}

impl Run {
    fn is_over(&self) -> bool {
        unsafe { (*(self.stop as *const AtomicU32)).load(Ordering::Relaxed) != 0 }
    }

    fn work(&self) {
        for i in 0..self.inside {
            black_box(i);
        }
    }
}

fn reads(random: &mut u32, percent: u32) -> bool {
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    *random % 100 < percent
}

macro_rules! locks {
    ($module:ident, $mutex:ident, $lock:expr, $read:expr, $write:expr, $wait:expr,
     $party:ident, $rw_party:ident, $plain:ident, $plain_read:ident, $plain_write:ident,
     $turns:ident) => {
        static $mutex: ($module::Mutex<u32>, $module::RwLock<()>, $module::Condvar) = (
            $module::Mutex::new(0),
            $module::RwLock::new(()),
            $module::Condvar::new(),
        );

        #[no_mangle]
        pub unsafe extern "C" fn $party(run: *const Run) -> u64 {
            let run = unsafe { &*run };
            let mut count = 0;
            while !run.is_over() {
                {
                    let _held = $lock(&$mutex.0);
                    unsafe { *run.shared += 1 };
                    run.work();
                }
                run.work();
                count += 1;
            }
            count
        }

        #[no_mangle]
        pub unsafe extern "C" fn $rw_party(run: *const Run, number: u32, read: *mut u64) -> u64 {
            let run = unsafe { &*run };
            let mut random = number + 1;
            let (mut read_count, mut count) = (0, 0);
            while !run.is_over() {
                if reads(&mut random, run.read_percent) {
                    let _held = $read(&$mutex.1);
                    run.work();
                    read_count += 1;
                } else {
                    let _held = $write(&$mutex.1);
                    unsafe { *run.shared += 1 };
                    run.work();
                    count += 1;
                }
                run.work();
            }
            unsafe { *read = read_count };
            count
        }

        #[no_mangle]
        pub extern "C" fn $plain(rounds: u64) {
            for _ in 0..rounds {
                drop(black_box($lock(&$mutex.0)));
            }
        }

        #[no_mangle]
        pub extern "C" fn $plain_read(rounds: u64) {
            for _ in 0..rounds {
                drop(black_box($read(&$mutex.1)));
            }
        }

        #[no_mangle]
        pub extern "C" fn $plain_write(rounds: u64) {
            for _ in 0..rounds {
                drop(black_box($write(&$mutex.1)));
            }
        }

        #[no_mangle]
        pub extern "C" fn $turns(rounds: u64, number: u32) {
            let mut turn = $lock(&$mutex.0);
            for _ in 0..rounds {
                while *turn != number {
                    turn = $wait(&$mutex.2, turn);
                }
                *turn = 1 - number;
                $mutex.2.notify_one();
            }
        }
    };
}

use std::sync as standard;
locks!(
    standard,
    STANDARD,
    |m: &'static standard::Mutex<u32>| m.lock().unwrap(),
    |l: &'static standard::RwLock<()>| l.read().unwrap(),
    |l: &'static standard::RwLock<()>| l.write().unwrap(),
    |c: &'static standard::Condvar, held| c.wait(held).unwrap(),
    std_mutex_party,
    std_rwlock_party,
    std_mutex,
    std_rwlock_read,
    std_rwlock_write,
    std_turns
);

locks!(
    parking_lot,
    PARKING_LOT,
    |m: &'static parking_lot::Mutex<u32>| m.lock(),
    |l: &'static parking_lot::RwLock<()>| l.read(),
    |l: &'static parking_lot::RwLock<()>| l.write(),
    |c: &'static parking_lot::Condvar, held| {
        let mut held = held;
        c.wait(&mut held);
        held
    },
    parking_lot_mutex_party,
    parking_lot_rwlock_party,
    parking_lot_mutex,
    parking_lot_rwlock_read,
    parking_lot_rwlock_write,
    parking_lot_turns
);
