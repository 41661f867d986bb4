//! What happens in the program, for those who have subscribed. Nobody who tells ever waits for one who
//! listens.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use hotswap_protocol::event::Event;

use crate::engine::fork;
use crate::sync::{Mutex, lock};

/// How far a subscriber may fall behind before it is cut off.
const QUEUE: usize = 256;

/// All that listen to this process.
pub(crate) static ALL: Subscribers = Subscribers::new();

/// Tells all, and says whether there is anybody. To be called where no fork comes.
pub(crate) fn tell(event: &Event) -> bool {
    ALL.tell(event)
}

/// Those that listen, each with its queue.
#[derive(Debug)]
pub(crate) struct Subscribers(Mutex<Listening>);

#[derive(Debug)]
struct Listening {
    next: u64,
    queues: Vec<(u64, SyncSender<Event>)>,
}

impl Subscribers {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Listening {
            next: 0,
            queues: Vec::new(),
        }))
    }

    /// Tells all. The queue of one that does not keep up ends.
    pub(crate) fn tell(&self, event: &Event) -> bool {
        let mut listening = lock(&self.0);
        listening
            .queues
            .retain(|(_, queue)| queue.try_send(event.clone()).is_ok());
        !listening.queues.is_empty()
    }

    /// Adds one that hears of all from now on.
    pub(crate) fn subscribe(&self) -> (Subscription<'_>, Receiver<Event>) {
        let (queue, events) = sync_channel(QUEUE);
        let id = fork::undivided(|| {
            let mut listening = lock(&self.0);
            let id = listening.next;
            listening.next += 1;
            listening.queues.push((id, queue));
            id
        });
        (Subscription { of: self, id }, events)
    }
}

/// A place among those that listen. Dropping it ends the queue.
#[derive(Debug)]
pub(crate) struct Subscription<'a> {
    of: &'a Subscribers,
    id: u64,
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        fork::undivided(|| lock(&self.of.0).queues.retain(|(id, _)| *id != self.id));
    }
}

#[cfg(test)]
mod tests {
    use hotswap_protocol::lifecycle::State;

    use super::*;

    fn event(number: u64) -> Event {
        let state = State::Current;
        Event::Version { number, state }
    }

    #[test]
    fn each_hears_all_from_its_subscription_to_its_end() {
        let all = Subscribers::new();
        assert!(!all.tell(&event(0)));
        let (first, events) = all.subscribe();
        let (_second, others) = all.subscribe();
        assert!(all.tell(&event(1)));
        drop(first);
        assert!(all.tell(&event(2)));
        assert_eq!(events.iter().collect::<Vec<_>>(), [event(1)]);
        assert_eq!(others.try_iter().collect::<Vec<_>>(), [event(1), event(2)]);
    }

    #[test]
    fn one_that_does_not_listen_is_cut_off_and_holds_nobody_up() {
        let all = Subscribers::new();
        let (_slow, events) = all.subscribe();
        let (_gone, _) = all.subscribe();
        let told = (0..).take_while(|number| all.tell(&event(*number)));
        assert_eq!(told.count(), QUEUE);
        assert_eq!(events.iter().count(), QUEUE);
    }
}
