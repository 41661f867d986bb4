//! Functions of the user's that make a value of one type from a reference to one of another.

use std::fmt::Display;

/// A function of the user's, with its types erased.
pub type Hook = fn(Request) -> Answer;

/// What is asked of a hook.
#[derive(Debug)]
pub enum Request {
    /// Tell your types.
    Describe,
    /// Make the new value.
    Run {
        /// Where the old value is.
        old: *const u8,
        /// Where the new value shall be.
        new: *mut u8,
    },
}

/// What a hook answers.
#[derive(Debug)]
pub enum Answer {
    /// Its types.
    Types {
        /// What it takes by reference.
        old: TypeFacts,
        /// What it makes.
        new: TypeFacts,
        /// Whether it returns a `Result`.
        can_fail: bool,
    },
    /// The new value stands at its place.
    Made,
    /// There is no new value, for this reason.
    Failed(String),
}

/// A type as a hook sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeFacts {
    /// The compiler's name for it.
    pub name: &'static str,
    /// Its size in bytes.
    pub size: usize,
    /// Its alignment in bytes.
    pub align: usize,
}

impl TypeFacts {
    pub(crate) fn of<T>() -> Self {
        Self {
            name: std::any::type_name::<T>(),
            size: size_of::<T>(),
            align: align_of::<T>(),
        }
    }
}

/// What a hook for a value of type `N` may return: the value, or a `Result` with it. `Form` only
/// keeps the two implementations apart.
pub trait HookResult<N, Form> {
    /// Whether there may be none.
    const CAN_FAIL: bool;

    /// The value, or the reason why there is none.
    fn into_result(self) -> Result<N, String>;
}

/// The form of a hook that can't fail.
#[derive(Debug)]
pub enum Plain {}

/// The form of a hook that can fail.
#[derive(Debug)]
pub enum Fallible {}

impl<N> HookResult<N, Plain> for N {
    const CAN_FAIL: bool = false;

    fn into_result(self) -> Result<N, String> {
        Ok(self)
    }
}

impl<N, E: Display> HookResult<N, Fallible> for Result<N, E> {
    const CAN_FAIL: bool = true;

    fn into_result(self) -> Result<N, String> {
        self.map_err(|error| error.to_string())
    }
}

/// Answers a request to the user's function `hook`.
pub fn ask<O, N, R, Form>(hook: impl Fn(&O) -> R, request: Request) -> Answer
where
    R: HookResult<N, Form>,
{
    match request {
        Request::Describe => Answer::Types {
            old: TypeFacts::of::<O>(),
            new: TypeFacts::of::<N>(),
            can_fail: R::CAN_FAIL,
        },
        Request::Run { old, new } => {
            // SAFETY: the runtime runs a hook only on a value of the type that it has told, which
            // nobody changes meanwhile.
            let old = unsafe { &*old.cast::<O>() };
            match hook(old).into_result() {
                Ok(value) => {
                    // SAFETY: the runtime gives a place for a value of the type that was told.
                    unsafe { new.cast::<N>().write(value) };
                    Answer::Made
                }
                Err(reason) => Answer::Failed(reason),
            }
        }
    }
}

/// Makes a value from a clone of the old one.
pub fn from_clone<O: Clone, N: From<O>>(old: &O) -> N {
    N::from(old.clone())
}
