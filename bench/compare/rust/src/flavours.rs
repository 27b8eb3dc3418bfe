/* SPDX-License-Identifier: Apache-2.0 */
//! The channels of the standard library, crossbeam-channel and flume.

use crate::channels::{run, ChannelsData, Flavour, Receives, Run, Sends};
use std::sync::mpsc;

/// For a sender whose own `send` returns a Result.
macro_rules! sends {
    ($sender:ty) => {
        impl<T: Send> Sends<T> for $sender {
            fn send(&self, message: T) {
                if <$sender>::send(self, message).is_err() {
                    panic!("the receivers have gone");
                }
            }
        }
    };
}

/// For a receiver whose own `recv` returns a Result.
macro_rules! receives {
    ($receiver:ty) => {
        impl<T: Send> Receives<T> for $receiver {
            fn recv(&self) -> Option<T> {
                <$receiver>::recv(self).ok()
            }
        }
    };
}

/// What a Flavour has where one pair of handles serves all capacities, and receivers can be cloned.
#[allow(unused_macros)] // Where neither crate is there.
macro_rules! handles {
    () => {
        type Sender = Sender<T>;
        type Receiver = Receiver<T>;

        fn open(capacity: usize) -> (Sender<T>, Receiver<T>) {
            if capacity == usize::MAX {
                unbounded()
            } else {
                bounded(capacity)
            }
        }

        fn again(receiver: &Receiver<T>) -> Receiver<T> {
            receiver.clone()
        }
    };
}

struct Unbounded;
struct Bounded;

sends!(mpsc::Sender<T>);
sends!(mpsc::SyncSender<T>);
receives!(mpsc::Receiver<T>);

impl<T: Send> Flavour<T> for Unbounded {
    type Sender = mpsc::Sender<T>;
    type Receiver = mpsc::Receiver<T>;

    fn open(_capacity: usize) -> (Self::Sender, Self::Receiver) {
        mpsc::channel()
    }

    fn again(_receiver: &Self::Receiver) -> Self::Receiver {
        unimplemented!()
    }
}

impl<T: Send> Flavour<T> for Bounded {
    type Sender = mpsc::SyncSender<T>;
    type Receiver = mpsc::Receiver<T>;

    fn open(capacity: usize) -> (Self::Sender, Self::Receiver) {
        mpsc::sync_channel(capacity)
    }

    fn again(_receiver: &Self::Receiver) -> Self::Receiver {
        unimplemented!()
    }
}

#[no_mangle]
pub extern "C" fn std_channels_open(data: &'static ChannelsData) -> *mut Run {
    if data.capacity == usize::MAX {
        run::<Unbounded>(data)
    } else {
        run::<Bounded>(data)
    }
}

#[cfg(crate_crossbeam)]
mod crossbeam {
    use super::*;
    use crossbeam_channel::{bounded, select, unbounded, Receiver, Sender};

    struct Crossbeam;

    sends!(Sender<T>);
    receives!(Receiver<T>);

    impl<T: Send> Flavour<T> for Crossbeam {
        handles!();

        fn select([a, b, c, d]: [&Receiver<T>; 4]) -> T {
            select! {
                recv(a) -> message => message,
                recv(b) -> message => message,
                recv(c) -> message => message,
                recv(d) -> message => message,
            }
            .expect("the senders are there")
        }

        fn try_select([a, b, c, d]: [&Receiver<T>; 4]) -> Option<T> {
            select! {
                recv(a) -> message => message.ok(),
                recv(b) -> message => message.ok(),
                recv(c) -> message => message.ok(),
                recv(d) -> message => message.ok(),
                default => None,
            }
        }
    }

    #[no_mangle]
    pub extern "C" fn crossbeam_channels_open(data: &'static ChannelsData) -> *mut Run {
        run::<Crossbeam>(data)
    }
}

#[cfg(crate_flume)]
mod flume_channels {
    use super::*;
    use flume::{bounded, unbounded, Receiver, Selector, Sender};

    struct Flume;

    sends!(Sender<T>);
    receives!(Receiver<T>);

    impl<T: Send> Flavour<T> for Flume {
        handles!();

        fn select([a, b, c, d]: [&Receiver<T>; 4]) -> T {
            Selector::new()
                .recv(a, |message| message)
                .recv(b, |message| message)
                .recv(c, |message| message)
                .recv(d, |message| message)
                .wait()
                .expect("the senders are there")
        }
    }

    #[no_mangle]
    pub extern "C" fn flume_channels_open(data: &'static ChannelsData) -> *mut Run {
        run::<Flume>(data)
    }
}
