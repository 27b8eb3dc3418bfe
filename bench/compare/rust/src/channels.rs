/* SPDX-License-Identifier: Apache-2.0 */
//! What the parties do with channels, whatever the flavour of these is.

use crate::Time;
use std::cell::UnsafeCell;
use std::sync::Mutex;

const SELECT: usize = 4;
const BATCH: usize = 64;
const LAST: u64 = u64::MAX;

/// enum channels_kind of C.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq)]
#[allow(dead_code)] // C makes them.
pub enum Kind {
    OneParty,
    Stream,
    PingPong,
    SelectReady,
    SelectNone,
    SelectStream,
    Memory,
}

/// struct channels_tally of C.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Tally {
    count: u64,
    sum: u64,
    padding: [u64; 6],
}

impl Tally {
    fn add(&mut self, number: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(number);
    }
}

/// struct channels_data of C.
#[repr(C)]
pub struct ChannelsData {
    kind: Kind,
    senders: u32,
    receivers: u32,
    pub message_bytes: u32,
    pub capacity: usize,
    messages: u64,
    time: Time,
    /// Each party has its own.
    tallies: [UnsafeCell<Tally>; 8],
}

unsafe impl Sync for ChannelsData {}

impl ChannelsData {
    fn store(&self, number: usize, tally: Tally) {
        unsafe { *self.tallies[number].get() = tally }
    }

    fn channels(&self) -> usize {
        match self.kind {
            Kind::PingPong => 2,
            Kind::SelectReady | Kind::SelectNone | Kind::SelectStream => SELECT,
            _ => 1,
        }
    }
}

pub trait Sends<T>: Clone + Send {
    fn send(&self, message: T);
}

pub trait Receives<T>: Send {
    /// None: all senders have gone, and everything is received.
    fn recv(&self) -> Option<T>;
}

/// A library's channels of `T`.
pub trait Flavour<T> {
    type Sender: Sends<T>;
    type Receiver: Receives<T>;

    fn open(capacity: usize) -> (Self::Sender, Self::Receiver);

    /// One more receiver, where there can be several.
    fn again(receiver: &Self::Receiver) -> Self::Receiver;

    /// Receives from whichever has a message.
    fn select(_receivers: [&Self::Receiver; SELECT]) -> T {
        unimplemented!()
    }

    /// The same without waiting.
    fn try_select(_receivers: [&Self::Receiver; SELECT]) -> Option<T> {
        unimplemented!()
    }
}

/// What is sent; word 0 is a number.
pub type Message<const WORDS: usize> = [u64; WORDS];

/// The ends of all channels: of streams one for each party, else of channel i. A party takes its own.
struct Ends<S, R> {
    senders: [Mutex<Option<S>>; SELECT],
    receivers: [Mutex<Option<R>>; SELECT],
}

impl<S, R> Ends<S, R> {
    fn sender(&self, index: usize) -> S {
        self.senders[index]
            .lock()
            .unwrap()
            .take()
            .expect("it is there")
    }

    fn receiver(&self, index: usize) -> R {
        self.receivers[index]
            .lock()
            .unwrap()
            .take()
            .expect("it is there")
    }

    fn all_receivers(&self) -> [R; SELECT] {
        [
            self.receiver(0),
            self.receiver(1),
            self.receiver(2),
            self.receiver(3),
        ]
    }
}

fn open<F: Flavour<T>, T>(data: &ChannelsData) -> Ends<F::Sender, F::Receiver> {
    let ends = Ends {
        senders: Default::default(),
        receivers: Default::default(),
    };
    let count = data.channels();
    for i in 0..count {
        let (sender, receiver) = F::open(data.capacity);
        for k in count..data.senders as usize {
            *ends.senders[k].lock().unwrap() = Some(sender.clone());
        }
        for k in count..data.receivers as usize {
            *ends.receivers[k].lock().unwrap() = Some(F::again(&receiver));
        }
        *ends.senders[i].lock().unwrap() = Some(sender);
        *ends.receivers[i].lock().unwrap() = Some(receiver);
    }
    ends
}

fn send<const WORDS: usize>(data: &ChannelsData, number: usize, tx: &impl Sends<Message<WORDS>>) {
    let mut message = [0; WORDS];
    let mut tally = Tally::default();
    loop {
        for _ in 0..BATCH {
            message[0] = tally.count;
            tally.add(message[0]);
            tx.send(message);
        }
        if data.time.is_over() {
            break;
        }
    }
    data.store(number, tally);
}

fn recv<const WORDS: usize>(data: &ChannelsData, number: usize, rx: impl Receives<Message<WORDS>>) {
    let mut tally = Tally::default();
    while let Some(message) = rx.recv() {
        tally.add(message[0]);
    }
    data.store(number, tally);
}

/// Sends a message and receives it with `receive`, over and over.
fn alone(data: &ChannelsData, mut turn: impl FnMut(u64) -> u64) {
    let (mut sent, mut received) = (Tally::default(), Tally::default());
    loop {
        for _ in 0..BATCH {
            let number = sent.count;
            sent.add(number);
            received.add(turn(number));
        }
        if data.time.is_over() {
            break;
        }
    }
    data.store(0, sent);
    data.store(1, received);
}

fn ping<S: Sends<Message<1>>>(data: &ChannelsData, tx: S, rx: impl Receives<Message<1>>) {
    let mut tally = Tally::default();
    loop {
        for _ in 0..BATCH {
            tx.send([tally.count]);
            tally.add(rx.recv().expect("the other one answers")[0]);
        }
        if data.time.is_over() {
            break;
        }
    }
    data.store(0, tally);
}

fn pong<S: Sends<Message<1>>>(data: &ChannelsData, tx: S, rx: impl Receives<Message<1>>) {
    let mut tally = Tally::default();
    while let Some(message) = rx.recv() {
        tally.add(message[0]);
        tx.send(message);
    }
    data.store(1, tally);
}

fn select_none<F: Flavour<Message<1>>>(data: &ChannelsData, receivers: [&F::Receiver; SELECT]) {
    let (mut tried, mut none) = (Tally::default(), Tally::default());
    loop {
        for _ in 0..BATCH {
            tried.add(0);
            if F::try_select(receivers).is_none() {
                none.add(0);
            }
        }
        if data.time.is_over() {
            break;
        }
    }
    data.store(0, tried);
    data.store(1, none);
}

fn select_recv<F: Flavour<Message<1>>>(data: &ChannelsData, receivers: [&F::Receiver; SELECT]) {
    let mut tally = Tally::default();
    let mut left = data.senders;
    while left > 0 {
        match F::select(receivers)[0] {
            LAST => left -= 1,
            number => tally.add(number),
        }
    }
    data.store(data.senders as usize, tally);
}

extern "C" {
    fn channels_are_full();
}

fn fill_and_drain(data: &ChannelsData, tx: impl Sends<Message<1>>, rx: impl Receives<Message<1>>) {
    let (mut sent, mut received) = (Tally::default(), Tally::default());
    for number in 0..data.messages {
        sent.add(number);
        tx.send([number]);
    }
    unsafe { channels_are_full() };
    while received.count < data.messages {
        received.add(rx.recv().expect("the sender is there")[0]);
    }
    data.store(0, sent);
    data.store(1, received);
}

/// A party with messages of one word.
fn party<F: Flavour<Message<1>>>(
    data: &ChannelsData,
    ends: &Ends<F::Sender, F::Receiver>,
    number: usize,
) {
    match data.kind {
        Kind::OneParty => {
            let (tx, rx) = (ends.sender(0), ends.receiver(0));
            alone(data, |number| {
                tx.send([number]);
                rx.recv().expect("it was sent")[0]
            });
        }
        Kind::PingPong if number == 0 => ping(data, ends.sender(0), ends.receiver(1)),
        Kind::PingPong => pong(data, ends.sender(1), ends.receiver(0)),
        Kind::SelectReady => {
            let tx = [
                ends.sender(0),
                ends.sender(1),
                ends.sender(2),
                ends.sender(3),
            ];
            let [a, b, c, d] = &ends.all_receivers();
            alone(data, |number| {
                tx[number as usize % SELECT].send([number]);
                F::select([a, b, c, d])[0]
            });
        }
        Kind::SelectNone => {
            let [a, b, c, d] = &ends.all_receivers();
            select_none::<F>(data, [a, b, c, d]);
        }
        Kind::SelectStream if number < data.senders as usize => {
            let tx = ends.sender(number);
            send(data, number, &tx);
            tx.send([LAST]);
            // The receiver would see its end.
            *ends.senders[number].lock().unwrap() = Some(tx);
        }
        Kind::SelectStream => {
            let [a, b, c, d] = &ends.all_receivers();
            select_recv::<F>(data, [a, b, c, d]);
        }
        Kind::Memory => fill_and_drain(data, ends.sender(0), ends.receiver(0)),
        Kind::Stream => stream_party(data, ends, number),
    }
}

fn stream_party<const WORDS: usize, S, R>(data: &ChannelsData, ends: &Ends<S, R>, number: usize)
where
    S: Sends<Message<WORDS>>,
    R: Receives<Message<WORDS>>,
{
    let senders = data.senders as usize;
    if number < senders {
        send(data, number, &ends.sender(number));
    } else {
        recv(data, number, ends.receiver(number - senders));
    }
}

/// A run: what each party does. It goes to and fro through C as an address.
pub struct Run(Box<dyn Fn(usize)>);

/// A run with channels of that flavour; of any kind for messages of one word, else a stream.
pub fn run<F>(data: &'static ChannelsData) -> *mut Run
where
    F: Flavour<Message<1>> + Flavour<Message<8>> + Flavour<Message<128>> + 'static,
{
    let party: Box<dyn Fn(usize)> = match data.message_bytes {
        8 => {
            let ends = open::<F, Message<1>>(data);
            Box::new(move |number| party::<F>(data, &ends, number))
        }
        64 => {
            let ends = open::<F, Message<8>>(data);
            Box::new(move |number| stream_party(data, &ends, number))
        }
        _ => {
            let ends = open::<F, Message<128>>(data);
            Box::new(move |number| stream_party(data, &ends, number))
        }
    };
    Box::into_raw(Box::new(Run(party)))
}

/// Called by each party, on a thread of its own.
#[no_mangle]
pub extern "C" fn rust_channels_party(run: &Run, number: u32) {
    (run.0)(number as usize);
}

#[no_mangle]
pub unsafe extern "C" fn rust_channels_close(run: *mut Run) {
    drop(unsafe { Box::from_raw(run) });
}
