/* SPDX-License-Identifier: Apache-2.0 */
//! The structs mirror those of bench/forkjoin/*.h.

use crate::{pool, Shared};

#[repr(C)]
pub struct FibData {
    n: u32,
    result: u64,
}

fn fib(n: u32) -> u64 {
    if n < 2 {
        return n as u64;
    }
    let (left, right) = rayon::join(|| fib(n - 1), || fib(n - 2));
    left + right
}

#[no_mangle]
pub unsafe extern "C" fn rayon_fib(data: *mut FibData) {
    let n = (*data).n;
    (*data).result = pool().install(|| fib(n));
}

const NQUEENS_MAX: usize = 16;

#[repr(C)]
#[derive(Clone, Copy)]
struct Board {
    column: [i8; NQUEENS_MAX],
}

#[repr(C)]
pub struct NqueensData {
    n: i32,
    solutions: u64,
}

fn legal(board: &Board, row: usize, column: i32) -> bool {
    board.column[..row].iter().enumerate().all(|(other, &at)| {
        let distance = at as i32 - column;
        let rows = (row - other) as i32;
        distance != 0 && distance != rows && distance != -rows
    })
}

fn below(n: usize, row: usize, board: Board) -> u64 {
    if row == n {
        1
    } else {
        columns(n, row, &board, 0)
    }
}

/// The legal columns of this row from `column` on: the first of them beside all the others.
fn columns(n: usize, row: usize, board: &Board, mut column: usize) -> u64 {
    while column < n && !legal(board, row, column as i32) {
        column += 1;
    }
    if column == n {
        return 0;
    }
    let mut next = *board;
    next.column[row] = column as i8;
    let (here, others) = rayon::join(
        || below(n, row + 1, next),
        || columns(n, row, board, column + 1),
    );
    here + others
}

#[no_mangle]
pub unsafe extern "C" fn rayon_nqueens(data: *mut NqueensData) {
    let n = (*data).n as usize;
    let board = Board { column: [0; NQUEENS_MAX] };
    (*data).solutions = pool().install(|| below(n, 0, board));
}

const HASH_ROUNDS: usize = 11;
const CHILDREN_MAX: usize = 64;
const FLAT_DEPTH: u32 = 10;
const DEEP_ROOT_CHILDREN: u32 = 2000;
const DEEP_CHILDREN: u32 = 8;
const DEEP_CHANCE: u32 = 536334041;

extern "C" {
    static uts_limits: [u32; CHILDREN_MAX];
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Node {
    state: u64,
    depth: u32,
    deep: bool,
}

#[repr(C)]
pub struct UtsData {
    root: Node,
    nodes: u64,
    expected: u64,
}

fn hash(mut state: u64) -> u64 {
    for _ in 0..HASH_ROUNDS {
        state = state.wrapping_add(0x9e3779b97f4a7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d049bb133111eb);
        state ^= state >> 31;
    }
    state
}

fn children(node: &Node) -> u32 {
    let draw = (node.state >> 32) as u32;
    if node.deep {
        return match node.depth {
            0 => DEEP_ROOT_CHILDREN,
            _ if draw < DEEP_CHANCE => DEEP_CHILDREN,
            _ => 0,
        };
    }
    if node.depth >= FLAT_DEPTH {
        return 0;
    }
    let limits = unsafe { &uts_limits };
    let mut count = 0;
    while count < CHILDREN_MAX && draw >= limits[count] {
        count += 1;
    }
    count as u32
}

fn walk(node: Node) -> u64 {
    match children(&node) {
        0 => 1,
        count => 1 + walk_children(&node, 0, count),
    }
}

/// By halves: one join for each child, as where each child is a task, takes 1.1 to 1.4 times as long.
fn walk_children(parent: &Node, begin: u32, end: u32) -> u64 {
    if end - begin == 1 {
        return walk(Node {
            state: hash(parent.state.wrapping_add(begin as u64)),
            depth: parent.depth + 1,
            deep: parent.deep,
        });
    }
    let middle = begin + (end - begin) / 2;
    let (left, right) = rayon::join(
        || walk_children(parent, begin, middle),
        || walk_children(parent, middle, end),
    );
    left + right
}

#[no_mangle]
pub unsafe extern "C" fn rayon_uts(data: *mut UtsData) {
    let root = (*data).root;
    (*data).nodes = pool().install(|| walk(root));
}

const MSORT_LEAF: usize = 32;
const MSORT_MERGE: usize = 4096;

#[repr(C)]
pub struct MsortData {
    values: *mut u32,
    scratch: *mut u32,
    count: usize,
}

#[repr(C)]
struct Runs {
    left: *const u32,
    left_count: usize,
    right: *const u32,
    right_count: usize,
    to: *mut u32,
}

unsafe impl Send for Runs {}

extern "C" {
    fn msort_leaf(values: *const u32, to: *mut u32, count: usize);
    fn msort_merge(runs: *const Runs);
    fn msort_cut(runs: *mut Runs) -> Runs;
}

unsafe fn merge(mut runs: Runs) {
    if runs.left_count + runs.right_count <= MSORT_MERGE {
        return msort_merge(&runs);
    }
    let upper = msort_cut(&mut runs);
    rayon::join(move || merge(runs), move || merge(upper));
}

/// Sorts `count` of `values`, which is `to` or `other`.
unsafe fn msort(values: Shared<u32>, to: Shared<u32>, other: Shared<u32>, count: usize) {
    if count <= MSORT_LEAF {
        return msort_leaf(values.get(), to.get(), count);
    }
    let half = count / 2;
    rayon::join(
        || msort(values, other, to, half),
        || msort(values.add(half), other.add(half), to.add(half), count - half),
    );
    merge(Runs {
        left: other.get(),
        left_count: half,
        right: other.get().add(half),
        right_count: count - half,
        to: to.get(),
    });
}

#[no_mangle]
pub unsafe extern "C" fn rayon_msort(data: *mut MsortData) {
    let values = Shared((*data).values);
    let scratch = Shared((*data).scratch);
    let count = (*data).count;
    pool().install(|| msort(values, values, scratch, count));
}

const STUCK_TASKS: usize = 8;

#[repr(C)]
pub struct StuckData {
    task_ns: i64,
    own_ns: i64,
    done: [u8; STUCK_TASKS],
}

#[repr(C)]
struct StuckTask {
    data: *mut StuckData,
    index: i32,
}

extern "C" {
    fn stuck_compute(duration_ns: i64);
    fn stuck_task_run(argument: *mut StuckTask);
}

#[no_mangle]
pub unsafe extern "C" fn rayon_stuck(data: *mut StuckData) {
    let shared = Shared(data);
    let own_ns = (*data).own_ns;
    pool().scope(|scope| {
        for index in 0..STUCK_TASKS as i32 {
            scope.spawn(move |_| {
                let mut task = StuckTask { data: shared.get(), index };
                unsafe { stuck_task_run(&mut task) };
            });
        }
        unsafe { stuck_compute(own_ns) };
    });
}
