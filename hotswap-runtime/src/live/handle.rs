//! A cell's handle without its type: from the static to the value.

use std::panic::Location;
use std::ptr::{self, NonNull};

use crate::live::Unavailable;
use crate::live::core::{Core, Hold, Mark};
use crate::live::facts::FactsOf;
use crate::live::lock::{Mode, Patience, Who};
use crate::live::restore;
use crate::live::versions::{self, Init, Verdict};
use crate::sync::{AtomicPtr, Ordering};

/// What every [`Live`](crate::Live) is in memory, whatever its type.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Handle {
    core: AtomicPtr<Core>,
    init: Init,
    facts: FactsOf,
}

/// Calls a function that makes a first value, and tells where that is: in a box of its own.
pub(crate) type Make = unsafe fn(Init) -> *mut u8;

/// Who wants to use a cell, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access {
    pub(crate) mode: Mode,
    pub(crate) mark: &'static Mark,
    pub(crate) location: &'static Location<'static>,
    pub(crate) patience: Patience,
}

impl Access {
    fn who(&self) -> Who {
        Who::me(self.location, ptr::from_ref(self.mark).addr())
    }
}

/// Why a cell can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Busy,
    Stale(String),
}

impl From<Refusal> for Unavailable {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy => Self::Busy,
            Refusal::Stale(_) => Self::Stale,
        }
    }
}

impl Handle {
    /// The heap part, which is made at the first use.
    pub(crate) fn core(&self) -> &Core {
        let mut core = self.core.load(Ordering::Acquire);
        if core.is_null() {
            let fresh = Box::into_raw(Box::new(Core::new()));
            let raced = self.core.compare_exchange(
                ptr::null_mut(),
                fresh,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            core = match raced {
                Ok(_) => fresh,
                Err(other) => {
                    // SAFETY: nobody else has seen it.
                    drop(unsafe { Box::from_raw(fresh) });
                    other
                }
            };
        }
        // SAFETY: it came from a box, and is freed only when the handle is dropped.
        unsafe { &*core }
    }

    /// The function in the handle that gives what is known of the type.
    pub(crate) fn facts(&self) -> FactsOf {
        self.facts
    }

    pub(crate) fn address(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// Opens the cell. At the first use, that makes the value.
    pub(crate) fn open(
        &self,
        access: Access,
        make: Make,
    ) -> Result<(NonNull<u8>, Hold<'_>), Refusal> {
        let core = self.core();
        loop {
            let hold = self.enter(core, access)?;
            if let Some(value) = NonNull::new(hold.value()) {
                return Ok((value, hold));
            }
            drop(hold);
            self.initialise(core, access, make)?;
        }
    }

    /// Holds the cell, if the code may use its value.
    fn enter<'a>(&self, core: &'a Core, access: Access) -> Result<Hold<'a>, Refusal> {
        let hold = core.hold(access.mode, access.who(), access.patience);
        let hold = hold.ok_or(Refusal::Busy)?;
        match hold.admits(self.address(), access.mark) {
            Verdict::Fits => Ok(hold),
            Verdict::Stale(reason) => Err(Refusal::Stale(reason)),
        }
    }

    #[cold]
    fn initialise(&self, core: &Core, access: Access, make: Make) -> Result<(), Refusal> {
        let alone = Access {
            mode: Mode::Exclusive,
            ..access
        };
        let mut hold = self.enter(core, alone)?;
        if hold.value().is_null() && !self.restore(&mut hold) {
            let init = versions::init(self.address()).unwrap_or(self.init);
            // SAFETY: the code that asks may use the cell, so its type has the layout of the value
            // that `init` makes: either it stands in the handle, and the cell's type has never
            // changed, or it came with the layout. If it panics, the cell stays without a value.
            let value = unsafe { make(init) };
            hold.replace(value);
        }
        Ok(())
    }

    /// Gives the cell the value that it had in the program before, if it is to have one and has none
    /// yet. It is held alone.
    pub(crate) fn restore(&self, hold: &mut Hold<'_>) -> bool {
        if !hold.value().is_null() {
            return false;
        }
        let facts = versions::facts(self.address()).unwrap_or(self.facts);
        match restore::make(self.address(), facts()) {
            Some(value) => {
                hold.replace(value);
                true
            }
            None => false,
        }
    }

    /// Takes the value out of a handle that nobody uses any more.
    pub(crate) fn take(&mut self) -> *mut u8 {
        let core = self.core.load(Ordering::Acquire);
        if core.is_null() {
            return ptr::null_mut();
        }
        self.core.store(ptr::null_mut(), Ordering::Release);
        // SAFETY: it came from a box, the handle is borrowed alone, and all holds borrow it. A hold
        // that was forgotten can't be used any more.
        let core = unsafe { Box::from_raw(core) };
        core.into_value()
    }
}
