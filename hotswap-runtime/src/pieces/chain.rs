//! The changes that pieces have still to go through, kept until the last piece has.
//!
//! A container knows its chain by a number. So a value holds no address of code, and the layout of a
//! container says nothing of what the runtime keeps.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::num::NonZero;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use crate::convert::context::Context;
use crate::convert::failure::Failure;
use crate::convert::progress::Progress;
use crate::convert::{Conversions, How, Index, run, undo};
use crate::migrate::schema::Schema;
use crate::pieces::piece::Words;
use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

static CHAINS: Mutex<Chains> = Mutex::new(Chains {
    last: 0,
    all: BTreeMap::new(),
});

struct Chains {
    last: u64,
    all: BTreeMap<u64, Arc<Chain>>,
}

/// The number of a chain; 0 is none.
pub(crate) type Number = u64;

pub(crate) const NONE: Number = 0;

/// A change of the elements, which stays valid as long as this is there: what it refers to in images keeps
/// these in memory, since a scan finds it.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) conversions: Arc<Conversions>,
    /// The conversion of a piece, which is a `Vec`.
    pub(crate) piece: Index,
}

/// Changes one after the other.
#[derive(Debug)]
pub(crate) struct Chain {
    /// The number of the change before the first one here.
    first: usize,
    links: Vec<Link>,
    /// How many pieces have not been through all of them.
    left: AtomicUsize,
}

/// Adds a change to those of another chain, for so many pieces that have been through `reached` changes or
/// fewer.
pub(crate) fn begin(before: Number, reached: usize, link: Link, pieces: usize) -> Number {
    let before = get(before);
    let (first, mut links) = match &before {
        Some(chain) => (chain.first, chain.links.clone()),
        None => (reached, Vec::new()),
    };
    links.push(link);
    let chain = Arc::new(Chain {
        first,
        links,
        left: AtomicUsize::new(pieces),
    });
    let mut chains = lock(&CHAINS);
    chains.last += 1;
    let number = chains.last;
    chains.all.insert(number, chain);
    number
}

/// The chain of this number, unless it has come to its end.
pub(crate) fn get(number: Number) -> Option<Arc<Chain>> {
    if number == NONE {
        return None;
    }
    lock(&CHAINS).all.get(&number).cloned()
}

/// Forgets a chain that nobody asks for any more.
pub(crate) fn end(number: Number) {
    let chain = lock(&CHAINS).all.remove(&number);
    // It may be the last to know its conversions, so it goes when nothing is locked.
    drop(chain);
}

/// The types of elements that wait for a change for which code or data in this range is needed, and how many
/// pieces of them there are.
pub(crate) fn needing(range: &Range<usize>) -> Vec<(&'static str, usize)> {
    let chains: Vec<_> = lock(&CHAINS).all.values().cloned().collect();
    let chains = chains.iter().filter_map(|chain| {
        let mut links = chain.links.iter();
        let link = links.find(|link| link.conversions.are_in(range))?;
        let How::Sequence { element, .. } = link.conversions.get(link.piece).how else {
            return None;
        };
        let element = link.conversions.get(element).new;
        Some(((element.name)(), chain.left()))
    });
    chains.collect()
}

impl Chain {
    /// How many pieces are left.
    fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// A piece has been through all changes. Tells whether it was the last one.
    pub(crate) fn is_last(&self) -> bool {
        self.left.fetch_sub(1, Ordering::AcqRel) == 1
    }

    fn link(&self, reached: usize) -> Option<&Link> {
        self.links.get(reached.checked_sub(self.first)?)
    }

    /// What a piece is that has been through so many changes.
    pub(crate) fn schema(&self, reached: usize) -> Option<&'static Schema> {
        let schemas = |link: &Link| -> (&'static Schema, &'static Schema) {
            let conversion = link.conversions.get(link.piece);
            (conversion.old, conversion.new)
        };
        match self.link(reached) {
            Some(link) => Some(schemas(link).0),
            None => {
                let last = self.links.last()?;
                (reached == self.first + self.links.len()).then(|| schemas(last).1)
            }
        }
    }

    /// Takes a piece that has been through so many changes further, and tells how far.
    ///
    /// What was undone later is left out: a change that leads back to the very type that the elements have
    /// is nothing to them, whatever lies between.
    ///
    /// # Safety
    ///
    /// The piece is at the address, and nobody else uses it.
    pub(crate) unsafe fn advance(
        &self,
        reached: usize,
        piece: *mut u8,
    ) -> Result<usize, Box<Failure>> {
        let Some(link) = self.link(reached) else {
            return Err(Failure::new("?", "nothing is known of its changes"));
        };
        let own = link.conversions.get(link.piece).old;
        let is_own = |number: &usize| self.schema(*number).is_some_and(|it| ptr::eq(it, own));
        let mut later = reached + 1..=self.first + self.links.len();
        if let Some(number) = later.rfind(is_own) {
            return Ok(number);
        }
        // SAFETY: the caller's promise; so many changes have led to this link's old type.
        unsafe { link.change(piece)? };
        Ok(reached + 1)
    }
}

impl Link {
    /// Changes a piece in its place, or leaves it as it is.
    ///
    /// # Safety
    ///
    /// A piece of the old type is at the address, and nobody else uses it.
    unsafe fn change(&self, piece: *mut u8) -> Result<(), Box<Failure>> {
        let progress = Progress::default();
        let mut context = Context::new(&self.conversions, &progress, NonZero::new(1));
        let mut new = MaybeUninit::<Words>::uninit();
        // SAFETY: the caller's promise. The new value counts from the moment at which it stands, and a
        // piece of any type has so many words.
        unsafe {
            run::convert(&mut context, self.piece, piece, new.as_mut_ptr().cast())?;
            undo::release(&mut context, self.piece, piece);
            piece.cast::<MaybeUninit<Words>>().write(new);
        }
        Ok(())
    }
}
