/* SPDX-License-Identifier: Apache-2.0 */
/* Boost.Fiber: fibers of one thread, with its round-robin scheduler and its default stacks. */
#include "peer/peer.h"
#include "channels/channels.h"
#include "locks/locks.h"
#include "tasks/blocked.h"
#include "tasks/switching.h"
#include "tasks/timers.h"

#include <boost/context/fiber.hpp>
#include <boost/fiber/all.hpp>
#include <chrono>
#include <cstdlib>
#include <vector>

namespace
{

namespace fibers = boost::fibers;

/* Runs body(number) in a fiber for each number below `count`. */
template <typename Body> void parties(unsigned count, Body body)
{
    std::vector<fibers::fiber> all;
    for (unsigned i = 0; i < count; i++)
        all.emplace_back([body, i] { body(i); });
    for (fibers::fiber &fiber : all)
        fiber.join();
}

/* --- locks --- */

fibers::mutex mutex;

void run_mutex(void *data)
{
    auto *d = static_cast<locks_data *>(data);
    for (uint64_t i = 0; i < d->rounds; i++) {
        mutex.lock();
        mutex.unlock();
    }
    d->counts[0] = d->rounds;
}

void run_handoff(void *data)
{
    auto *d = static_cast<locks_data *>(data);
    fibers::mutex ring[3];
    fibers::barrier meet(2);
    parties(2, [&](unsigned number) {
        unsigned mine = number;
        ring[mine].lock();
        meet.wait();
        for (uint64_t i = 0; i < d->rounds; i++) {
            const unsigned next = mine == 2 ? 0 : mine + 1;
            ring[next].lock();
            ring[mine].unlock();
            mine = next;
            d->counts[number]++;
        }
        ring[mine].unlock();
    });
}

void run_condvar(void *data)
{
    auto *d = static_cast<locks_data *>(data);
    fibers::condition_variable condvar;
    unsigned turn = 0;
    parties(2, [&](unsigned number) {
        std::unique_lock<fibers::mutex> held(mutex);
        for (uint64_t i = 0; i < d->rounds; i++) {
            condvar.wait(held, [&] { return turn == number; });
            turn = 1 - number;
            d->counts[number]++;
            condvar.notify_one();
        }
    });
}

/* --- channels --- */

using buffered = fibers::buffered_channel<uint64_t>;
using unbuffered = fibers::unbuffered_channel<uint64_t>;

void must(fibers::channel_op_status status)
{
    if (status != fibers::channel_op_status::success)
        std::abort();
}

void tally_add(channels_tally &tally, uint64_t number)
{
    tally.count++;
    tally.sum += number;
}

template <typename Channel> void stream(channels_data &d, Channel &channel)
{
    unsigned left = d.senders;
    parties(d.senders + d.receivers, [&](unsigned number) {
        channels_tally tally{};
        if (number < d.senders) {
            do {
                for (int i = 0; i < CHANNELS_BATCH; i++) {
                    must(channel.push(tally.count));
                    tally_add(tally, tally.count);
                }
            } while (!parties_stop(&d.time));
            if (--left == 0)
                channel.close();
        } else {
            uint64_t message;
            while (channel.pop(message) == fibers::channel_op_status::success)
                tally_add(tally, message);
        }
        d.tallies[number] = tally;
    });
}

void one_party(channels_data &d, buffered &channel)
{
    channels_tally sent{}, received{};
    do {
        for (int i = 0; i < CHANNELS_BATCH; i++) {
            uint64_t message;
            must(channel.push(sent.count));
            tally_add(sent, sent.count);
            must(channel.pop(message));
            tally_add(received, message);
        }
    } while (!parties_stop(&d.time));
    d.tallies[0] = sent;
    d.tallies[1] = received;
}

void ping_pong(channels_data &d, buffered &there, buffered &back)
{
    parties(2, [&](unsigned number) {
        channels_tally tally{};
        uint64_t message;
        if (number == 0) {
            do {
                for (int i = 0; i < CHANNELS_BATCH; i++) {
                    must(there.push(tally.count));
                    must(back.pop(message));
                    tally_add(tally, message);
                }
            } while (!parties_stop(&d.time));
            there.close();
        } else {
            while (there.pop(message) == fibers::channel_op_status::success) {
                tally_add(tally, message);
                must(back.push(message));
            }
        }
        d.tallies[number] = tally;
    });
}

void channels(void *data)
{
    auto &d = *static_cast<channels_data *>(data);
    /* One place of a buffered channel stays empty, and the size is a power of two, at least 2. */
    const size_t places = d.capacity < 2 ? 2 : d.capacity;
    buffered first(places), second(places);
    unbuffered hands_over;
    if (d.kind == CHANNELS_ONE_PARTY)
        one_party(d, first);
    else if (d.kind == CHANNELS_PING_PONG)
        ping_pong(d, first, second);
    else if (d.capacity == 0)
        stream(d, hands_over);
    else
        stream(d, first);
}

void run_channels(void *data)
{
    channels_measure(static_cast<channels_data *>(data), channels, data);
}

/* --- switching --- */

void run_yield(void *data)
{
    auto *d = static_cast<switching_data *>(data);
    parties(2, [&](unsigned number) {
        for (uint64_t i = 0; i < d->rounds; i++) {
            boost::this_fiber::yield();
            d->done[number]++;
        }
    });
}

void run_tasks(void *data)
{
    auto *d = static_cast<switching_data *>(data);
    for (uint64_t i = 0; i < d->rounds; i++)
        fibers::fiber([&] { d->done[0]++; }).join();
}

void run_groups(void *data)
{
    auto *d = static_cast<switching_data *>(data);
    for (uint64_t i = 0; i < d->rounds; i += SWITCHING_GROUP) {
        fibers::condition_variable opened, complete;
        unsigned here = 0;
        bool is_open = false;
        fibers::fiber tasks[SWITCHING_GROUP];
        for (unsigned k = 0; k < SWITCHING_GROUP; k++) {
            tasks[k] = fibers::fiber([&, k] {
                std::unique_lock<fibers::mutex> held(mutex);
                if (++here == SWITCHING_GROUP)
                    complete.notify_one();
                opened.wait(held, [&] { return is_open; });
                d->ran[k]++;
            });
        }
        {
            std::unique_lock<fibers::mutex> held(mutex);
            complete.wait(held, [&] { return here == SWITCHING_GROUP; });
            is_open = true;
            opened.notify_all();
        }
        for (fibers::fiber &task : tasks)
            task.join();
    }
}

void run_waiting_tasks(void *data)
{
    auto *d = static_cast<switching_data *>(data);
    fibers::condition_variable condvar;
    bool here = false, answered = false;
    for (uint64_t i = 0; i < d->rounds; i++) {
        fibers::fiber task([&] {
            std::unique_lock<fibers::mutex> held(mutex);
            here = true;
            condvar.notify_all();
            condvar.wait(held, [&] { return answered; });
            answered = false;
            d->done[0]++;
        });
        {
            std::unique_lock<fibers::mutex> held(mutex);
            condvar.wait(held, [&] { return here; });
            here = false;
            answered = true;
            condvar.notify_all();
        }
        task.join();
    }
}

void run_switch(void *data)
{
    auto *d = static_cast<switching_data *>(data);
    boost::context::fiber other([&](boost::context::fiber &&home) {
        for (;;) {
            d->done[1]++;
            home = std::move(home).resume();
        }
        return std::move(home);
    });
    for (uint64_t i = 0; i < d->rounds; i++) {
        other = std::move(other).resume();
        d->done[0]++;
    }
}

/* --- waiting --- */

void block(blocked_data *d)
{
    fibers::mutex lock;
    fibers::condition_variable opened, complete;
    bool is_open = false, is_complete = false;
    std::vector<fibers::fiber> all;
    all.reserve(d->count);
    for (size_t i = 0; i < d->count; i++) {
        all.emplace_back([&] {
            std::unique_lock<fibers::mutex> held(lock);
            if (blocked_arrive(d)) {
                is_complete = true;
                complete.notify_one();
            }
            opened.wait(held, [&] { return is_open; });
            blocked_end(d);
        });
    }
    {
        std::unique_lock<fibers::mutex> held(lock);
        complete.wait(held, [&] { return is_complete; });
        blocked_complete(d);
        is_open = true;
        opened.notify_all();
    }
    for (fibers::fiber &fiber : all)
        fiber.join();
}

void run_blocked(void *data)
{
    blocked_measure(static_cast<blocked_data *>(data), block);
}

void sleep(timers_data *d)
{
    using clock = std::chrono::steady_clock;
    std::vector<fibers::fiber> all;
    all.reserve(d->count);
    for (size_t i = 0; i < d->count; i++) {
        all.emplace_back([d, i] {
            const auto deadline = clock::now() + std::chrono::nanoseconds(timers_duration_ns(i));
            boost::this_fiber::sleep_until(deadline);
            d->late_ns[i] = std::chrono::nanoseconds(clock::now() - deadline).count();
        });
    }
    for (fibers::fiber &fiber : all)
        fiber.join();
}

void run_timers(void *data)
{
    timers_measure(static_cast<timers_data *>(data), sleep);
}

void start(unsigned, const char *)
{
}

const struct bench_impl impls[] = {
    {"mutex", "", "", run_mutex, 0},
    {"mutex-handoff", "", "", run_handoff, 0},
    {"condvar-tasks", "", "", run_condvar, 0},
    {"chan-bounded-*-tasks", "", "", run_channels, 0},
    {"chan-@(one|rendezvous|pingpong)-tasks", "", "", run_channels, 0},
    {"task-yield", "", "", run_yield, 0},
    {"task-run", "", "", run_tasks, 0},
    {"task-wait", "", "", run_groups, 0},
    {"task-wait-alone", "", "", run_waiting_tasks, 0},
    {"switch", "", "", run_switch, 0},
    {"blocked-10k", "", "", run_blocked, 0},
    {"blocked-100k", "", "", run_blocked, 0},
    {"timers", "", "", run_timers, 0},
};

} // namespace

const struct bench_peer bench_peer = {
    "boost", BENCH_COMPILER, impls, sizeof impls / sizeof impls[0], 1, start, nullptr,
};
