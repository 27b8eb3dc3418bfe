/* SPDX-License-Identifier: Apache-2.0 */
//! Rust's standard library, as functions that the C peer calls with the workload's data.

mod panics;
mod threads;
