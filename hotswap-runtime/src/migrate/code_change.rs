//! Functions of the user's that make a whole value of the fields of an old one.

use std::marker::PhantomData;

use crate::migrate::describe::Description;
use crate::migrate::hook::{HookResult, TypeFacts};

/// What a function marked [`code_change`](macro@crate::code_change) is told of the value that it
/// replaces, beside the fields that it names.
///
/// ```
/// use hotswap::{Migrate, Old};
///
/// #[derive(Migrate)]
/// struct Player {
///     first: String,
///     last: String,
///     health: u32,
/// }
///
/// /// Before, there were `name` and, since some version, `hp`.
/// #[hotswap::code_change]
/// fn player(old: &Old<'_>, name: &String, hp: Option<&u32>) -> Result<Player, String> {
///     let (first, last) = name
///         .split_once(' ')
///         .ok_or_else(|| format!("in version {}: a name of one word", old.from_version()))?;
///     Ok(Player {
///         first: first.to_owned(),
///         last: last.to_owned(),
///         health: hp.map_or(100, |hp| hp * 10),
///     })
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Old<'a> {
    pub(crate) variant: Option<&'a str>,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Old<'_> {
    /// The name of the value's variant, if its type is an enum that derives `Migrate`.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        self.variant
    }

    /// The number of the version that is current until the swap, as [`version`](crate::version)
    /// tells it. The value may have been made long before.
    #[must_use]
    pub fn from_version(&self) -> u64 {
        self.from
    }

    /// The number that the version will have which is to be current.
    #[must_use]
    pub fn to_version(&self) -> u64 {
        self.to
    }
}

/// A function with its types erased.
pub type Run = for<'a> fn(Ask<'a>) -> Told;

/// What is asked of it.
#[derive(Debug)]
pub enum Ask<'a> {
    /// Tell your types.
    Describe,
    /// Make the new value.
    Run {
        /// What there is to know of the old value.
        old: Old<'a>,
        /// Its fields, in the order of the parameters.
        lent: Lent<'a>,
        /// Where the new value shall be.
        new: *mut u8,
    },
}

/// What it answers.
#[derive(Debug)]
pub enum Told {
    /// Its types.
    Types {
        /// What it makes.
        makes: TypeFacts,
        /// What it takes by reference.
        takes: Vec<Parameter>,
    },
    /// The new value stands at its place.
    Made,
    /// There is no new value, for this reason.
    Failed(String),
}

/// A parameter that is a field of the old value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// The field's type.
    pub facts: TypeFacts,
    /// Whether the field may be missing.
    pub optional: bool,
}

impl Parameter {
    /// A field that must be there.
    #[must_use]
    pub fn given<T>() -> Self {
        Self {
            facts: TypeFacts::of::<T>(),
            optional: false,
        }
    }

    /// A field that may be missing.
    #[must_use]
    pub fn perhaps<T>() -> Self {
        Self {
            optional: true,
            ..Self::given::<T>()
        }
    }
}

/// The fields of the old value that a function names, in the order of its parameters.
#[derive(Debug, Clone, Copy)]
pub struct Lent<'a> {
    pub(crate) fields: &'a [Option<*const u8>],
}

impl<'a> Lent<'a> {
    /// The field of this number, which is a `T`.
    ///
    /// # Panics
    ///
    /// There is none: the runtime asks only functions whose fields are there.
    #[must_use]
    pub fn given<T>(self, number: usize) -> &'a T {
        self.perhaps(number).expect("the field is there")
    }

    /// The field of this number, which is a `T`, if there is one.
    #[must_use]
    pub fn perhaps<T>(self, number: usize) -> Option<&'a T> {
        let place = self.fields.get(number).copied().flatten()?;
        // SAFETY: the runtime gives the addresses of fields whose types the tool has found to be the
        // parameters'; macro output asks for each with its parameter's type. Nobody changes the
        // old value as long as the function runs.
        Some(unsafe { &*place.cast::<T>() })
    }
}

/// Stands in [`CodeChange`] for a parameter `&T`.
#[derive(Debug)]
pub struct Given<T>(PhantomData<fn() -> T>);

/// Stands in [`CodeChange`] for a parameter `Option<&T>`.
#[derive(Debug)]
pub struct Perhaps<T>(PhantomData<fn() -> T>);

/// The descriptor of a function that makes values of `T` of the fields in the tuple `F`, in the
/// section `hotswap_schemas`. The tool reads both types from debug information, and the text as it
/// stands at [`Description`].
#[repr(C)]
#[derive(Debug)]
pub struct CodeChange<T, F> {
    text: Description,
    run: Run,
    types: PhantomData<fn(F) -> T>,
}

impl<T, F> CodeChange<T, F> {
    /// The descriptor with this text.
    #[must_use]
    pub const fn new(text: &'static str, run: Run) -> Self {
        Self {
            text: Description::new(text),
            run,
            types: PhantomData,
        }
    }
}

/// Asks the user's function. `takes` tells its parameters.
pub fn change<N, R, Form>(
    ask: Ask<'_>,
    takes: &[fn() -> Parameter],
    function: impl FnOnce(&Old<'_>, Lent<'_>) -> R,
) -> Told
where
    R: HookResult<N, Form>,
{
    match ask {
        Ask::Describe => Told::Types {
            makes: TypeFacts::of::<N>(),
            takes: takes.iter().map(|parameter| parameter()).collect(),
        },
        Ask::Run { old, lent, new } => match function(&old, lent).into_result() {
            Ok(value) => {
                // SAFETY: the runtime gives a place for a value of the type that was told.
                unsafe { new.cast::<N>().write(value) };
                Told::Made
            }
            Err(reason) => Told::Failed(reason),
        },
    }
}
