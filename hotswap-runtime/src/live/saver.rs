//! Values as `serde` sees them, in MessagePack with the names of fields.
//!
//! The form describes itself, so that a later type can read what an earlier one wrote, as its
//! `serde` attributes say. Of such forms it is the one in which keys of maps may be anything and
//! numbers come back as they were.

use std::io::Write;

use rmp_serde::{Deserializer, Serializer, decode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Track};

use crate::live::facts::{Facts, Fault, Made, Saver};
use crate::migrate::Migrate;

/// How deep values may be nested. The thread that reads them has a stack for it.
const DEEPEST: usize = 4096;

/// The facts of a cell that is saved.
pub(crate) fn saved<T: Migrate + Serialize + DeserializeOwned + Send + 'static>() -> &'static Facts
{
    const {
        &Facts {
            schema: T::schema,
            saver: Some(Saver {
                save: save::<T>,
                restore: restore::<T>,
            }),
        }
    }
}

/// Writes the value at an address.
///
/// # Safety
///
/// A `T` is there, and nobody changes it meanwhile.
unsafe fn save<T: Serialize>(value: *const u8, out: &mut dyn Write) -> Result<(), Fault> {
    // SAFETY: the caller's promise.
    let value = unsafe { &*value.cast::<T>() };
    let mut track = Track::new();
    let mut serializer = Serializer::new(out).with_struct_map();
    let tracked = serde_path_to_error::Serializer::new(&mut serializer, &mut track);
    let written = value.serialize(tracked);
    written.map_err(|error| fault(&track.path(), &error))
}

fn restore<T: DeserializeOwned + Send + 'static>(bytes: &[u8]) -> Result<Box<dyn Made>, Fault> {
    let mut deserializer = Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(DEEPEST);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(value) => Ok(Box::new(value)),
        Err(error) => Err(match error.inner() {
            decode::Error::TypeMismatch(found) => fault(error.path(), &mismatch(*found)),
            other => fault(error.path(), other),
        }),
    }
}

fn fault(path: &Path, error: &dyn std::fmt::Display) -> Fault {
    let field = path.to_string();
    Fault {
        // What the path of the whole value looks like.
        field: Some(field).filter(|field| field != "."),
        reason: error.to_string(),
    }
}

/// What was found where the type wants something else, for people.
fn mismatch(found: impl std::fmt::Debug) -> String {
    let found = format!("{found:?}");
    let kinds = [
        ("Null", "nothing"),
        ("True", "a truth value"),
        ("False", "a truth value"),
        ("FixPos", "a number"),
        ("FixNeg", "a number"),
        ("U", "a number"),
        ("I", "a number"),
        ("F32", "a number with a fraction"),
        ("F64", "a number with a fraction"),
        ("FixStr", "a text"),
        ("Str", "a text"),
        ("Bin", "bytes"),
        ("FixArray", "a list"),
        ("Array", "a list"),
        ("FixMap", "names with values"),
        ("Map", "names with values"),
    ];
    let kind = kinds.iter().find(|(start, _)| found.starts_with(start));
    let kind = kind.map_or("something", |(_, kind)| kind);
    format!("{kind} was saved, and the type wants something else")
}
