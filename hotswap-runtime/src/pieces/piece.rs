//! A piece of a container, whatever its elements are, and what a container knows of its changes.

use std::cell::{Cell, UnsafeCell};
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use crate::convert::failure::Failure;
use crate::migrate::schema::Destructor;
use crate::pieces::chain::{self, Number};
use crate::pieces::stage::Stage;

/// So many elements are in each piece but the last.
pub(crate) const ELEMENTS: usize = 1024;

/// Room for a `Vec` of any type.
pub(crate) type Words = [usize; 3];

/// Some elements in a row: a `Vec` of them, of the type that they had after the last change that they have
/// been through.
pub(crate) struct Piece {
    stage: Stage,
    elements: UnsafeCell<MaybeUninit<Words>>,
}

impl Piece {
    /// A piece after so many changes.
    pub(crate) fn new<T>(elements: Vec<T>, changes: usize) -> Self {
        const {
            assert!(size_of::<Vec<T>>() == size_of::<Words>());
            assert!(align_of::<Vec<T>>() == align_of::<Words>());
        }
        let piece = Self::empty(changes);
        // SAFETY: there is room for it, as was asserted.
        unsafe { piece.place().cast::<Vec<T>>().write(elements) };
        piece
    }

    /// A piece whose elements are to be written to its [`place`](Self::place).
    pub(crate) fn empty(changes: usize) -> Self {
        Self {
            stage: Stage::new(changes),
            elements: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Where the `Vec` is.
    pub(crate) fn place(&self) -> *mut u8 {
        self.elements.get().cast()
    }
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Piece")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// The changes that a container has been through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changes {
    pub(crate) number: usize,
    /// Those that some of its pieces have still to go through.
    pub(crate) chain: Number,
}

thread_local! {
    /// Whether this thread changes elements.
    static CHANGES: Cell<bool> = const { Cell::new(false) };
}

/// Notes that this thread changes elements, as long as it lives.
struct Changing;

impl Changing {
    fn new() -> Option<Self> {
        (!CHANGES.replace(true)).then_some(Self)
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        CHANGES.set(false);
    }
}

impl Changes {
    pub(crate) const NONE: Self = Self {
        number: 0,
        chain: chain::NONE,
    };

    /// Whether a piece has been through all of them.
    #[inline]
    pub(crate) fn are_done(&self, piece: &Piece) -> bool {
        piece.stage.is(self.number)
    }

    /// Sees to it that a piece has been through all of them, before somebody uses its elements.
    #[inline]
    #[track_caller]
    pub(crate) fn touch(&self, piece: &Piece) {
        if !self.are_done(piece) {
            self.touch_old(piece);
        }
    }

    #[cold]
    #[track_caller]
    fn touch_old(&self, piece: &Piece) {
        // Two threads whose functions read one another's pieces would wait for ever.
        let Some(changing) = Changing::new() else {
            panic!(
                "elements that have not migrated yet were used by a function that makes the new value of \
                 another one"
            );
        };
        let outcome = self.bring(piece);
        drop(changing);
        if let Err(failure) = outcome {
            panic!(
                "elements could not be migrated when they were first used: {failure}; they are as they \
                 were, and the next use tries again"
            );
        }
    }

    /// Takes a piece through all of them.
    pub(crate) fn bring(&self, piece: &Piece) -> Result<(), Box<Failure>> {
        let mut known = None;
        let any = piece.stage.advance(self.number, |reached| {
            // The piece is one that is left, so the chain is there.
            known = known.take().or_else(|| chain::get(self.chain));
            let chain = known.as_ref();
            let chain = chain.ok_or_else(|| Failure::new("?", "its changes are forgotten"))?;
            // SAFETY: it is this thread's turn, and elements that are not at the last change are used by
            // nobody: references to them end before their container changes.
            unsafe { chain.advance(reached, piece.place()) }
        })?;
        if any && known.is_some_and(|chain| chain.is_last()) {
            chain::end(self.chain);
        }
        Ok(())
    }
}

/// What a container consists of, whatever its elements are.
pub(crate) struct Body {
    /// Each has elements, and all but the last as many as a piece can have.
    pub(crate) pieces: Vec<Piece>,
    /// The number of elements.
    pub(crate) len: usize,
    pub(crate) changes: Changes,
}

impl Body {
    pub(crate) const NEW: Self = Self {
        pieces: Vec::new(),
        len: 0,
        changes: Changes::NONE,
    };

    /// The number of elements that have still to be changed.
    pub(crate) fn left(&self) -> usize {
        let all = self.pieces.iter().enumerate();
        let left = all.filter(|(_, piece)| !self.changes.are_done(piece));
        left.map(|(number, _)| ELEMENTS.min(self.len - number * ELEMENTS))
            .sum()
    }

    /// The same pieces with one more change to come. Both have them, until one of the two is
    /// [forgotten](Self::forget).
    pub(crate) fn later(&self, link: chain::Link) -> ManuallyDrop<Self> {
        let Changes { number, chain } = self.changes;
        let pieces = self.pieces.len();
        // SAFETY: whoever forgets one of the two leaves the pieces to the other.
        let copy = unsafe { std::ptr::read(&raw const self.pieces) };
        ManuallyDrop::new(Self {
            pieces: copy,
            len: self.len,
            changes: match pieces {
                0 => Changes::NONE,
                _ => Changes {
                    number: number + 1,
                    chain: chain::begin(chain, number, link, pieces),
                },
            },
        })
    }

    /// Gives up a container whose pieces another one has.
    pub(crate) fn forget(self) {
        chain::end(self.changes.chain);
        mem::forget(self.pieces);
    }

    /// Drops all elements, those that are at the last change with this destructor. If destructors panic, so
    /// does this, with the first panic, when all are dropped.
    ///
    /// # Safety
    ///
    /// It is the destructor of a `Vec` of the type that elements have after all changes. The pieces are
    /// not used again.
    pub(crate) unsafe fn drop_all(&mut self, destructor: Destructor) {
        let chain = chain::get(self.changes.chain);
        let mut panic = None;
        for piece in self.pieces.drain(..) {
            let old = match self.changes.are_done(&piece) {
                true => Some(destructor),
                false => {
                    let schema = chain.as_ref().map(|it| it.schema(piece.stage.reached()));
                    schema.flatten().and_then(|schema| schema.drop)
                }
            };
            let dropped = catch_unwind(AssertUnwindSafe(|| {
                if let Some(destructor) = old {
                    // SAFETY: the piece is of the type that it had after so many changes, and was not
                    // dropped before.
                    unsafe { destructor(piece.place()) };
                }
            }));
            panic = panic.or(dropped.err());
        }
        self.len = 0;
        chain::end(self.changes.chain);
        if let Some(panic) = panic
            && !thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}
