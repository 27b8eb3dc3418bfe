/* SPDX-License-Identifier: Apache-2.0 */
//! The locks of the standard library and of parking_lot: what each party does with them.

use crate::Time;
use std::cell::UnsafeCell;
use std::hint::black_box;
use std::sync::{Arc, Barrier};

const PARTIES_MAX: usize = 16;

/// struct locks_data of C.
#[repr(C)]
pub struct LocksData {
    parties: u32,
    read_percent: u32,
    rounds: u64,
    inside: u32,
    time: Time,
    /// Written with the lock.
    shared: UnsafeCell<u64>,
    /// Each party has one.
    counts: [UnsafeCell<u64>; PARTIES_MAX],
    reads: [UnsafeCell<u64>; PARTIES_MAX],
}

unsafe impl Sync for LocksData {}

impl LocksData {
    fn work(&self) {
        for i in 0..self.inside {
            black_box(i);
        }
    }

    fn count_shared(&self) {
        unsafe { *self.shared.get() += 1 }
    }

    fn store(&self, number: u32, count: u64, reads: u64) {
        unsafe {
            *self.counts[number as usize].get() = count;
            *self.reads[number as usize].get() = reads;
        }
    }

    fn reads(&self, random: &mut u32) -> bool {
        *random ^= *random << 13;
        *random ^= *random >> 17;
        *random ^= *random << 5;
        *random % 100 < self.read_percent
    }
}

macro_rules! locks {
    ($module:ident, $locks:ident, $lock:expr, $read:expr, $write:expr, $wait:expr,
     $mutex_party:ident, $rwlock_party:ident, $condvar_party:ident,
     $mutex:ident, $rwlock_read:ident, $rwlock_write:ident) => {
        static $locks: ($module::Mutex<u32>, $module::RwLock<()>, $module::Condvar) = (
            $module::Mutex::new(0),
            $module::RwLock::new(()),
            $module::Condvar::new(),
        );

        #[no_mangle]
        pub extern "C" fn $mutex_party(data: &LocksData, number: u32) {
            let mut count = 0;
            while !data.time.is_over() {
                {
                    let _held = $lock(&$locks.0);
                    data.count_shared();
                    data.work();
                }
                data.work();
                count += 1;
            }
            data.store(number, count, 0);
        }

        #[no_mangle]
        pub extern "C" fn $rwlock_party(data: &LocksData, number: u32) {
            let mut random = number + 1;
            let (mut reads, mut writes) = (0, 0);
            while !data.time.is_over() {
                if data.reads(&mut random) {
                    let _held = $read(&$locks.1);
                    data.work();
                    reads += 1;
                } else {
                    let _held = $write(&$locks.1);
                    data.count_shared();
                    data.work();
                    writes += 1;
                }
                data.work();
            }
            data.store(number, writes, reads);
        }

        #[no_mangle]
        pub extern "C" fn $condvar_party(data: &LocksData, number: u32) {
            let mut turn = $lock(&$locks.0);
            for _ in 0..data.rounds {
                while *turn != number {
                    turn = $wait(&$locks.2, turn);
                }
                *turn = 1 - number;
                $locks.2.notify_one();
            }
            data.store(number, data.rounds, 0);
        }

        #[no_mangle]
        pub extern "C" fn $mutex(data: &LocksData) {
            for _ in 0..data.rounds {
                drop(black_box($lock(&$locks.0)));
            }
            data.store(0, data.rounds, 0);
        }

        #[no_mangle]
        pub extern "C" fn $rwlock_read(data: &LocksData) {
            for _ in 0..data.rounds {
                drop(black_box($read(&$locks.1)));
            }
            data.store(0, data.rounds, 0);
        }

        #[no_mangle]
        pub extern "C" fn $rwlock_write(data: &LocksData) {
            for _ in 0..data.rounds {
                drop(black_box($write(&$locks.1)));
            }
            data.store(0, data.rounds, 0);
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
    std_condvar_party,
    std_mutex,
    std_rwlock_read,
    std_rwlock_write
);

#[cfg(crate_parking_lot)]
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
    parking_lot_condvar_party,
    parking_lot_mutex,
    parking_lot_rwlock_read,
    parking_lot_rwlock_write
);

static BARRIER: standard::Mutex<Option<Arc<Barrier>>> = standard::Mutex::new(None);

#[no_mangle]
pub extern "C" fn std_barrier_open(data: &LocksData) {
    *BARRIER.lock().unwrap() = Some(Arc::new(Barrier::new(data.parties as usize)));
}

#[no_mangle]
pub extern "C" fn std_barrier_party(data: &LocksData, number: u32) {
    let barrier = BARRIER.lock().unwrap().clone().expect("it is open");
    for _ in 0..data.rounds {
        barrier.wait();
    }
    data.store(number, data.rounds, 0);
}
