/* SPDX-License-Identifier: Apache-2.0 */
//! Numeric loops: par_iter as it is, and par_chunks with a length set by hand where C has ranges.
//! The structs mirror those of bench/numeric/*.h.

use crate::{pool, Shared};
use rayon::prelude::*;
use std::slice::{from_raw_parts, from_raw_parts_mut};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

const DISPATCH_ELEMENTS: usize = 1000;

/// Pieces per worker where their length is set by hand: a few where all elements cost the same, more
/// where they do not.
const EVEN: usize = 8;
const UNEVEN: usize = 32;

fn chunk(count: usize, pieces: usize) -> usize {
    let all = pieces * pool().current_num_threads();
    ((count + all - 1) / all).max(1)
}

#[repr(C)]
pub struct DispatchData {
    loops: usize,
    x: *mut f64,
}

#[no_mangle]
pub unsafe extern "C" fn rayon_dispatch(data: *const DispatchData) {
    let x = from_raw_parts_mut((*data).x, DISPATCH_ELEMENTS);
    let loops = (*data).loops;
    pool().install(|| {
        for _ in 0..loops {
            x.par_iter_mut().for_each(|v| *v = *v * 0.75 + 1.0);
        }
    });
}

#[no_mangle]
pub unsafe extern "C" fn rayon_dispatch_chunks(data: *const DispatchData) {
    let x = from_raw_parts_mut((*data).x, DISPATCH_ELEMENTS);
    let loops = (*data).loops;
    pool().install(|| {
        for _ in 0..loops {
            x.par_chunks_mut(chunk(DISPATCH_ELEMENTS, 1)).for_each(|part| {
                for v in part {
                    *v = *v * 0.75 + 1.0;
                }
            });
        }
    });
}

#[repr(C)]
pub struct SaxpyData {
    count: usize,
    a: f32,
    x: *const f32,
    y: *mut f32,
}

#[no_mangle]
pub unsafe extern "C" fn rayon_saxpy(data: *const SaxpyData) {
    let (count, a) = ((*data).count, (*data).a);
    let x = from_raw_parts((*data).x, count);
    let y = from_raw_parts_mut((*data).y, count);
    pool().install(|| y.par_iter_mut().zip(x).for_each(|(y, x)| *y += a * x));
}

#[no_mangle]
pub unsafe extern "C" fn rayon_saxpy_chunks(data: *const SaxpyData) {
    let (count, a) = ((*data).count, (*data).a);
    let x = from_raw_parts((*data).x, count);
    let y = from_raw_parts_mut((*data).y, count);
    let length = chunk(count, EVEN);
    pool().install(|| {
        let pieces = y.par_chunks_mut(length).zip(x.par_chunks(length));
        pieces.for_each(|(y, x)| y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x));
    });
}

#[repr(C)]
pub struct DotData {
    count: usize,
    x: *const f64,
    y: *const f64,
    result: f64,
}

#[no_mangle]
pub unsafe extern "C" fn rayon_dot(data: *mut DotData) {
    let x = from_raw_parts((*data).x, (*data).count);
    let y = from_raw_parts((*data).y, (*data).count);
    (*data).result = pool().install(|| x.par_iter().zip(y).map(|(x, y)| x * y).sum());
}

#[no_mangle]
pub unsafe extern "C" fn rayon_dot_chunks(data: *mut DotData) {
    let x = from_raw_parts((*data).x, (*data).count);
    let y = from_raw_parts((*data).y, (*data).count);
    let length = chunk((*data).count, EVEN);
    (*data).result = pool().install(|| {
        let pieces = x.par_chunks(length).zip(y.par_chunks(length));
        pieces.map(|(x, y)| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>()).sum()
    });
}

#[repr(C)]
pub struct StencilData {
    side: usize,
    sweeps: u32,
    grids: [*mut f64; 2],
}

/// All sweeps; no piece is shorter than so many rows.
unsafe fn stencil(data: *const StencilData, rows: usize) {
    let (side, sweeps) = ((*data).side, (*data).sweeps as usize);
    let grids = (*data).grids.map(Shared);
    pool().install(|| {
        for sweep in 0..sweeps {
            let from = unsafe { from_raw_parts(grids[sweep % 2].get(), side * side) };
            let to = unsafe { from_raw_parts_mut(grids[(sweep + 1) % 2].get(), side * side) };
            let inner = to[side..side * (side - 1)].par_chunks_mut(side);
            inner.enumerate().with_min_len(rows).for_each(|(row, to)| {
                let above = &from[row * side..][..side];
                let here = &from[(row + 1) * side..][..side];
                let below = &from[(row + 2) * side..][..side];
                for i in 1..side - 1 {
                    let across = here[i - 1] + here[i + 1];
                    to[i] = 0.25 * (across + (above[i] + below[i]));
                }
            });
        }
    });
}

#[no_mangle]
pub unsafe extern "C" fn rayon_stencil(data: *const StencilData) {
    stencil(data, 1);
}

#[no_mangle]
pub unsafe extern "C" fn rayon_stencil_chunks(data: *const StencilData) {
    stencil(data, chunk((*data).side, EVEN));
}

#[repr(C)]
pub struct MandelbrotData {
    width: usize,
    height: usize,
    limit: u32,
    counts: *mut u16,
}

extern "C" {
    fn mandelbrot_rows(data: *const MandelbrotData, begin: usize, end: usize);
}

/// The kernel is C's: whether a multiplication and an addition are fused decides the picture.
#[no_mangle]
pub unsafe extern "C" fn rayon_mandelbrot(data: *const MandelbrotData) {
    let height = (*data).height;
    let shared = Shared(data as *mut MandelbrotData);
    pool().install(|| {
        let rows = (0..height).into_par_iter();
        rows.for_each(|row| unsafe { mandelbrot_rows(shared.get(), row, row + 1) });
    });
}

#[repr(C)]
pub struct SpmvData {
    rows: usize,
    offsets: *const usize,
    columns: *const u32,
    values: *const f64,
    x: *const f64,
    y: *mut f64,
}

/// No piece is shorter than `least` rows.
unsafe fn spmv(data: *const SpmvData, least: usize) {
    let rows = (*data).rows;
    let offsets = from_raw_parts((*data).offsets, rows + 1);
    let columns = from_raw_parts((*data).columns, offsets[rows]);
    let values = from_raw_parts((*data).values, offsets[rows]);
    let x = from_raw_parts((*data).x, rows);
    let y = from_raw_parts_mut((*data).y, rows);
    pool().install(|| {
        y.par_iter_mut().enumerate().with_min_len(least).for_each(|(row, y)| {
            let entries = offsets[row]..offsets[row + 1];
            let (columns, values) = (&columns[entries.clone()], &values[entries]);
            *y = columns.iter().zip(values).map(|(&c, v)| v * x[c as usize]).sum();
        });
    });
}

#[no_mangle]
pub unsafe extern "C" fn rayon_spmv(data: *const SpmvData) {
    spmv(data, 1);
}

#[no_mangle]
pub unsafe extern "C" fn rayon_spmv_chunks(data: *const SpmvData) {
    spmv(data, chunk((*data).rows, UNEVEN));
}

#[repr(C)]
pub struct Graph {
    vertices: usize,
    edges: usize,
    offsets: *const usize,
    targets: *const u32,
}

impl Graph {
    unsafe fn rows(&self) -> (&[usize], &[u32]) {
        let offsets = from_raw_parts(self.offsets, self.vertices + 1);
        (offsets, from_raw_parts(self.targets, self.edges))
    }
}

#[repr(C)]
pub struct PagerankData {
    out: Graph,
    incoming: Graph,
    rounds: u32,
    rank: *mut f64,
    share: *mut f64,
}

const DAMPING: f64 = 0.85;

#[no_mangle]
pub unsafe extern "C" fn rayon_pagerank(data: *const PagerankData) {
    let (vertices, rounds) = ((*data).out.vertices, (*data).rounds);
    let (out, _) = (*data).out.rows();
    let (into, sources) = (*data).incoming.rows();
    let rank = from_raw_parts_mut((*data).rank, vertices);
    let share = from_raw_parts_mut((*data).share, vertices);
    pool().install(|| {
        for _ in 0..rounds {
            let pairs = share.par_iter_mut().zip(rank.par_iter()).enumerate();
            let dangling: f64 = pairs
                .map(|(v, (share, &rank))| {
                    let degree = out[v + 1] - out[v];
                    *share = if degree == 0 { 0.0 } else { rank / degree as f64 };
                    if degree == 0 { rank } else { 0.0 }
                })
                .sum();
            let base = (1.0 - DAMPING + DAMPING * dangling) / vertices as f64;
            let share = &*share;
            rank.par_iter_mut().enumerate().for_each(|(v, rank)| {
                let from = &sources[into[v]..into[v + 1]];
                *rank = base + DAMPING * from.iter().map(|&u| share[u as usize]).sum::<f64>();
            });
        }
    });
}

#[repr(C)]
pub struct ComponentsData {
    graph: Graph,
    repeats: u32,
    parent: *mut u32,
}

fn link(parent: &[AtomicU32], u: u32, v: u32) {
    let at = |v: u32| parent[v as usize].load(Relaxed);
    let (mut a, mut b) = (at(u), at(v));
    while a != b {
        let (high, low) = (a.max(b), a.min(b));
        let above = at(high);
        if above == low {
            return;
        }
        let cell = &parent[high as usize];
        if above == high && cell.compare_exchange(high, low, Relaxed, Relaxed).is_ok() {
            return;
        }
        a = at(at(high));
        b = at(low);
    }
}

#[no_mangle]
pub unsafe extern "C" fn rayon_components(data: *const ComponentsData) {
    let (vertices, repeats) = ((*data).graph.vertices, (*data).repeats);
    let (offsets, targets) = (*data).graph.rows();
    let parent = from_raw_parts((*data).parent as *const AtomicU32, vertices);
    pool().install(|| {
        for _ in 0..repeats {
            let all = || (0..vertices).into_par_iter();
            all().for_each(|v| parent[v].store(v as u32, Relaxed));
            all().for_each(|v| {
                for &u in &targets[offsets[v]..offsets[v + 1]] {
                    link(parent, v as u32, u);
                }
            });
            all().for_each(|v| {
                let mut root = parent[v].load(Relaxed);
                while parent[root as usize].load(Relaxed) != root {
                    root = parent[root as usize].load(Relaxed);
                }
                parent[v].store(root, Relaxed);
            });
        }
    });
}
