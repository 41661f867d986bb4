//! Conversions: how values of one layout become values of another, beside the old ones.
//!
//! A plan says what becomes of what, by names. [`resolve`] looks the names up in the schemas of both
//! versions, checks all of it, and gives a graph of [`Conversion`]s with offsets and functions. Three
//! walks over values use that graph:
//!
//! - [`run`] assembles a new value. It only reads the old one, whose parts it moves bit by bit: for
//!   a time both values have them.
//! - [`undo::discard`] takes an assembled value apart again, and leaves what belongs to the old one.
//! - [`undo::release`] takes the old value apart, once the new one counts, and leaves what moved.

pub(crate) mod context;
pub(crate) mod copy;
pub(crate) mod custom;
pub(crate) mod dropped;
pub(crate) mod entries;
pub(crate) mod failure;
pub(crate) mod parallel;
pub(crate) mod pieces;
pub(crate) mod progress;
pub(crate) mod records;
pub(crate) mod resolve;
pub(crate) mod run;
pub(crate) mod shared;
pub(crate) mod undo;
pub(crate) mod variants;
pub(crate) mod waits;
pub(crate) mod whole;

use std::mem;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use crate::hidden::{self, wipe};
use crate::migrate::cells::Cellular;
use crate::migrate::code_change::Run;
use crate::migrate::container::Custom;
use crate::migrate::hook::Hook;
use crate::migrate::maps::Entries;
use crate::migrate::schema::{Choice, Destructor, Maker, Schema};
use crate::migrate::sequence::Sequence;
use crate::migrate::shared::Shared;

/// The index of a conversion in its graph.
pub(crate) type Index = usize;

/// All conversions of one plan. They refer to one another, also in circles.
#[derive(Debug, Default)]
pub(crate) struct Conversions {
    all: Vec<Conversion>,
    pub(crate) versions: Versions,
}

/// The versions that values go from and to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Versions {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Conversions {
    /// Adds one, and gives its index.
    fn add(&mut self, conversion: Conversion) -> Index {
        hidden::push(&mut self.all, conversion);
        self.all.len() - 1
    }

    pub(crate) fn get(&self, index: Index) -> &Conversion {
        &self.all[index]
    }

    /// Whether any of them needs a schema or function in this range, as far as these are named here.
    pub(crate) fn are_in(&self, range: &Range<usize>) -> bool {
        let schema = |schema: &'static Schema| {
            let drop = schema.drop.map(|drop| drop as usize);
            range.contains(&ptr::from_ref(schema).addr())
                || drop.is_some_and(|drop| range.contains(&drop))
        };
        let step = |step: &Step| match step {
            Step::Make { by, .. } => match *by {
                Making::Conversion(_) => false,
                Making::Default(maker, _) => range.contains(&(maker as usize)),
                Making::Hook(hook, _) => range.contains(&(hook as usize)),
            },
            Step::Copy { .. } => false,
        };
        let mut all = self.all.iter();
        all.any(|it| {
            let steps = matches!(&it.how, How::Record(record) if record.steps.iter().any(step));
            steps || schema(it.old) || schema(it.new)
        })
    }
}

impl Drop for Conversions {
    /// Leaves nothing in blocks that are free then. Both versions are there for a while yet, so that nobody looks for
    /// words into them; who gets such a block, and does not write to all of it, would keep an image in memory.
    fn drop(&mut self) {
        self.all.iter_mut().for_each(|it| it.how.wipe());
        wipe(mem::take(&mut self.all));
    }
}

impl How {
    /// Frees what has the addresses of schemas and functions, with nothing left in it.
    fn wipe(&mut self) {
        match self {
            Self::Record(record) => {
                wipe(mem::take(&mut record.steps));
                wipe(mem::take(&mut record.dropped));
            }
            Self::Choice { branches, .. } => {
                for branch in &mut *branches {
                    wipe(mem::take(&mut branch.parts));
                    wipe(mem::take(&mut branch.dropped));
                }
                wipe(mem::take(branches));
            }
            Self::Entries { parts, .. } | Self::Custom { parts, .. } => wipe(mem::take(parts)),
            Self::Array { .. }
            | Self::Boxed(_)
            | Self::Sequence { .. }
            | Self::Cellular { .. }
            | Self::Shared { .. }
            | Self::Pieces { .. }
            | Self::Whole(_) => {}
        }
    }
}

/// How a value of one type becomes one of another.
#[derive(Debug)]
pub(crate) struct Conversion {
    pub(crate) old: &'static Schema,
    pub(crate) new: &'static Schema,
    pub(crate) how: How,
    /// Whether there is anything to discard in an assembled value.
    pub(crate) discards: bool,
    /// Whether there is anything to release in an old value.
    pub(crate) releases: bool,
    /// Whether values must be made one after the other: what is inside may be shared by several of
    /// them, or is given to functions of the user's.
    pub(crate) in_turn: bool,
    /// Whether there are locks in values, which the thread that walks may have to hold.
    pub(crate) locks: bool,
}

#[derive(Debug)]
pub(crate) enum How {
    /// Both are structs or tuples.
    Record(Record),
    /// Both are enums.
    Choice {
        old: &'static Choice,
        new: &'static Choice,
        /// One for each old variant.
        branches: Vec<Branch>,
    },
    /// Both are arrays of so many elements.
    Array { len: usize, element: Index },
    /// Both are boxes.
    Boxed(Index),
    /// Both hold elements in a row.
    Sequence {
        old: &'static Sequence,
        new: &'static Sequence,
        element: Index,
    },
    /// Both hold one element.
    Cellular {
        old: &'static Cellular,
        new: &'static Cellular,
        element: Index,
    },
    /// Both are counted references.
    Shared {
        old: &'static Shared,
        new: &'static Shared,
        element: Index,
    },
    /// Elements are visited there and inserted here.
    Entries {
        old: &'static Entries,
        new: &'static Entries,
        /// One for each part of an element.
        parts: Vec<EntryPart>,
    },
    /// Both hold elements in pieces.
    Pieces {
        /// The conversion of a piece, which is a `Vec`.
        piece: Index,
        /// Whether each waits until it is used.
        lazy: bool,
    },
    /// Elements are listed there, and a container is built of them here, by functions of the user's.
    Custom {
        old: &'static Custom,
        new: &'static Custom,
        /// One for each part of an element.
        parts: Vec<EntryPart>,
    },
    /// A function of the user's makes the new value. Nothing moves: each has all that is its own.
    Whole(Whole),
}

/// A function that makes whole values.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) run: Run,
    /// What it gets, in the order of its parameters.
    pub(crate) takes: Vec<Take>,
    /// Tells the variants of the old type, if it is an enum.
    pub(crate) old: Option<&'static Choice>,
    /// Whether counted references may be inside of the old value.
    pub(crate) counted: bool,
    /// The parts of the new value, if the function makes a struct of these.
    pub(crate) parts: Option<Parts>,
}

/// A struct that consists of the parts of another value.
#[derive(Debug)]
pub(crate) struct Parts {
    /// How much room it needs.
    pub(crate) room: Room,
    /// Where each part is, where it goes, and how large it is, in bytes.
    pub(crate) moves: Vec<(usize, usize, usize)>,
}

/// What a function gets for one of its parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Take {
    /// Nothing: there is no such field.
    Nothing,
    /// The field at this offset.
    At(usize),
    /// The field of this number, if the value is of this variant.
    Of { variant: u32, number: usize },
}

/// A struct's conversion, as steps that write the new value from its beginning to its end.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) steps: Vec<Step>,
    /// The old fields that nothing takes over, by offset.
    pub(crate) dropped: Vec<Dropped>,
}

/// An old field that nothing takes over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropped {
    /// Its offset in a struct, its number in a variant.
    pub(crate) at: usize,
    pub(crate) destructor: Destructor,
    /// What it consists of, if counted references may be inside.
    pub(crate) counted: Option<&'static Schema>,
}

/// A step of a struct's conversion. Offsets are bytes from the beginning of the old and new value.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Bytes are copied.
    Copy {
        from: usize,
        to: usize,
        bytes: usize,
    },
    /// A field is made.
    Make {
        from: usize,
        to: usize,
        /// The field's name, with those of the structs that it is in.
        field: Arc<str>,
        by: Making,
    },
}

/// How a field that is not just copied is made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Making {
    /// From the old field, by another conversion.
    Conversion(Index),
    /// As its default.
    Default(Maker, Option<Destructor>),
    /// From the old field, by a function of the user's.
    Hook(Hook, Option<Destructor>),
}

/// What becomes of a variant.
#[derive(Debug)]
pub(crate) struct Branch {
    /// Its name.
    pub(crate) name: &'static str,
    /// The new variant; none if there is none any more.
    pub(crate) variant: Option<u32>,
    /// The function that makes the new value of the old fields; nothing moves then.
    pub(crate) by: Option<Run>,
    /// The new variant's fields in order; none if a function makes the value.
    pub(crate) parts: Vec<Part>,
    /// How much room the parts that are made need before they are put together.
    pub(crate) room: Room,
    /// The old fields that nothing takes over, by number.
    pub(crate) dropped: Vec<Dropped>,
}

/// A field of a new variant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) field: &'static str,
    /// The number of the old field; 0 if there is none.
    pub(crate) from: usize,
    /// How it is made, and where in the room; none if it is the old field as it is.
    pub(crate) made: Option<(Making, usize)>,
}

/// A part of the elements of a map, a set or a container of the user's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryPart {
    pub(crate) by: Option<Index>,
    /// Its size and alignment as new.
    pub(crate) size: usize,
    pub(crate) align: usize,
}

/// A size and an alignment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) size: usize,
    pub(crate) align: usize,
}

impl Room {
    pub(crate) const NONE: Self = Self { size: 0, align: 1 };

    /// Adds room for so many bytes, and tells where they are.
    pub(crate) fn add(&mut self, size: usize, align: usize) -> usize {
        let offset = self.size.next_multiple_of(align);
        self.size = offset + size;
        self.align = self.align.max(align);
        offset
    }
}
