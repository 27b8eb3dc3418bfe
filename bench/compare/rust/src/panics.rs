/* SPDX-License-Identifier: Apache-2.0 */
//! Panics and boundaries.

use std::hint::black_box;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

/// struct panics_data of C.
#[repr(C)]
pub struct PanicsData {
    count: u64,
    frames: u64,
    returned: u64,
    caught: u64,
    cleaned: u64,
}

#[inline(never)]
fn return_at_once(work: &mut PanicsData) {
    work.returned += 1;
}

#[no_mangle]
pub extern "C" fn std_catch(data: *mut PanicsData) {
    let work = unsafe { &mut *data };
    // So that the compiler does not know what is called.
    let returns: fn(&mut PanicsData) = black_box(return_at_once);
    for _ in 0..work.count {
        catch_unwind(AssertUnwindSafe(|| returns(work))).expect("it does not panic");
    }
}

/// What a frame has to clean up.
struct Frame(*mut PanicsData);

impl Drop for Frame {
    #[inline(never)]
    fn drop(&mut self) {
        unsafe { (*self.0).cleaned += 1 }
    }
}

#[inline(never)]
fn go_down(work: *mut PanicsData, frames: u64) {
    let frame = Frame(work);
    if frames == 1 {
        resume_unwind(Box::new(7));
    }
    let down: fn(*mut PanicsData, u64) = black_box(go_down);
    down(frame.0, frames - 1);
}

#[no_mangle]
pub extern "C" fn std_panic(data: *mut PanicsData) {
    let (count, frames) = unsafe { ((*data).count, (*data).frames) };
    for _ in 0..count {
        if catch_unwind(AssertUnwindSafe(|| go_down(data, frames))).is_err() {
            unsafe { (*data).caught += 1 }
        }
    }
}
