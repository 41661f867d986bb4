//! Counts of references to state, by what was done about them.

use serde::{Deserialize, Serialize};

/// What was done about a reference to state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Form {
    /// `lea` became a load from the global offset table, in place.
    LeaInPlace,
    /// A thunk that puts the address into the destination register.
    DestinationThunk,
    /// A thunk that spills a register for the address.
    SpillThunk,
    /// A thunk for a call through memory.
    CallThunk,
    /// A thunk for a jump through memory.
    JumpThunk,
    /// A thunk for a push from memory.
    PushThunk,
    /// A reference through the global offset table, which is right already.
    Got,
    /// A branch to a function of another file, left to the linker.
    Branch,
    /// A pointer in data.
    Pointer,
    /// General-dynamic access to a thread-local.
    GeneralDynamic,
    /// Local-dynamic access to the module's thread-locals.
    LocalDynamic,
    /// Offset of a thread-local in the module's.
    ModuleOffset,
    /// Initial-exec access to a thread-local.
    InitialExec,
    /// Local-exec access to a thread-local.
    LocalExec,
    /// A local-exec or local-dynamic access that now reads the offset from the global offset table.
    ThreadOffset,
    /// A thread-local access of the image's own, right already.
    OwnThreadLocal,
    /// A reference from debug information.
    Debug,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 17] = [
        Self::LeaInPlace,
        Self::DestinationThunk,
        Self::SpillThunk,
        Self::CallThunk,
        Self::JumpThunk,
        Self::PushThunk,
        Self::Got,
        Self::Branch,
        Self::Pointer,
        Self::GeneralDynamic,
        Self::LocalDynamic,
        Self::ModuleOffset,
        Self::InitialExec,
        Self::LocalExec,
        Self::ThreadOffset,
        Self::OwnThreadLocal,
        Self::Debug,
    ];
}

/// Number of references by form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteCounts {
    counts: [u32; Form::ALL.len()],
}

impl SiteCounts {
    /// The number of one form.
    pub fn get(&self, form: Form) -> u32 {
        self.counts[form as usize]
    }

    /// Forms that occur, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Form, u32)> + '_ {
        Form::ALL
            .into_iter()
            .map(|form| (form, self.get(form)))
            .filter(|(_, count)| *count != 0)
    }

    /// The sum of all forms.
    pub fn total(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// Adds the counts of another object.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum += count;
        }
    }

    pub(crate) fn count(&mut self, form: Form) {
        self.counts[form as usize] += 1;
    }
}
