//! `tracing::instrument`, in either order.

use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::{Metadata, Subscriber, instrument, span};

/// Counts the spans that are entered.
struct Counting;

static ENTERED: AtomicUsize = AtomicUsize::new(0);

impl Subscriber for Counting {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {}

    fn enter(&self, _: &span::Id) {
        ENTERED.fetch_add(1, Ordering::Relaxed);
    }

    fn exit(&self, _: &span::Id) {}
}

#[instrument]
#[hotswap::entry]
fn outside(a: u32) -> u32 {
    a + 1
}

#[hotswap::entry]
#[instrument(skip_all, fields(a))]
fn inside(a: u32) -> u32 {
    a + 1
}

struct Room(u32);

impl Room {
    #[instrument(skip(self))]
    #[hotswap::entry]
    async fn outside(&self, text: &str) -> Result<usize, String> {
        tracing::info!(text, "in {}", self.0);
        Ok(text.len())
    }

    #[hotswap::entry(untracked)]
    #[instrument(skip(self), err)]
    async fn inside(&mut self, text: &str) -> Result<usize, String> {
        self.0 += 1;
        Ok(text.len() + self.0 as usize)
    }
}

#[hotswap::entry]
impl Room {
    #[instrument(skip_all)]
    fn in_block(self) -> u32 {
        self.0
    }
}

#[tokio::test]
async fn spans_are_entered() {
    let _guard = tracing::subscriber::set_default(Counting);
    assert_eq!((outside(1), inside(1)), (2, 2));
    let mut room = Room(1);
    assert_eq!(room.outside("ab").await, Ok(2));
    assert_eq!(room.inside("ab").await, Ok(4));
    assert_eq!(room.in_block(), 2);
    assert!(ENTERED.load(Ordering::Relaxed) >= 5);
}
