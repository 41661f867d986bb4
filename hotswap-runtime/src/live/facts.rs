//! What a cell's handle knows of its type: how values of it are laid out, and how they are saved.

use std::io::Write;

use crate::migrate::Migrate;
use crate::migrate::schema::Of;

/// What is known of a cell's type in one version.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Gives the schema.
    pub(crate) schema: Of,
    /// Saves and restores values, if the cell is one that is saved.
    pub(crate) saver: Option<Saver>,
}

/// Gives the facts of one type. It stands in handles, since handles hold no pointers to data.
pub(crate) type FactsOf = fn() -> &'static Facts;

/// How values of one type become bytes, and come back from them.
#[derive(Debug)]
pub(crate) struct Saver {
    /// Writes the value at an address.
    pub(crate) save: Save,
    /// Makes a value.
    pub(crate) restore: Restore,
}

/// Writes the value at an address.
///
/// # Safety
///
/// A value of the saver's type is there, and nobody changes it meanwhile.
pub(crate) type Save = unsafe fn(*const u8, &mut dyn Write) -> Result<(), Fault>;

/// Makes a value of bytes.
pub(crate) type Restore = fn(&[u8]) -> Result<Box<dyn Made>, Fault>;

/// A value of the saver's type, on its way to the thread that asked for it.
pub(crate) trait Made: Send {
    /// Gives it away as the content of a cell.
    fn into_content(self: Box<Self>) -> *mut u8;
}

impl<T: Send> Made for T {
    fn into_content(self: Box<Self>) -> *mut u8 {
        Box::into_raw(self).cast()
    }
}

/// Why a value could not be saved or restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The part that is to blame, as far as that is known.
    pub(crate) field: Option<String>,
    /// Why.
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn new(reason: impl ToString) -> Self {
        Self {
            field: None,
            reason: reason.to_string(),
        }
    }
}

/// The facts of a cell that is not saved.
pub(crate) fn plain<T: Migrate>() -> &'static Facts {
    const {
        &Facts {
            schema: T::schema,
            saver: None,
        }
    }
}
