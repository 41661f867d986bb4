//! The tables that describe a type's layout in the version that they are compiled into.

use crate::migrate::code_change::Run;
use crate::migrate::container::Custom;
use crate::migrate::hook::Hook;
use crate::migrate::maps::Entries;
use crate::migrate::parts::Choose;
use crate::migrate::sequence::Sequence;
use crate::migrate::shared::Shared;
use crate::migrate::{around, cells::Cellular, probe};

/// Gives a type's schema. Types may contain themselves, so schemas refer to one another by function.
pub type Of = fn() -> &'static Schema;

/// Runs a value's destructor in place.
pub type Destructor = unsafe fn(*mut u8);

/// Makes a value at an address, which must be good for writing one.
pub type Maker = fn(*mut u8);

/// What the runtime knows of a type in one version.
#[derive(Debug)]
pub struct Schema {
    /// The type's name, as the compiler prints it.
    pub name: fn() -> &'static str,
    /// Its size in bytes.
    pub size: usize,
    /// Its alignment in bytes.
    pub align: usize,
    /// Its destructor, if it has anything to drop.
    pub drop: Option<Destructor>,
    /// Whether it has a `Drop` of its own, which sees the value before its fields are dropped.
    pub has_own_drop: bool,
    /// What is inside.
    pub shape: Shape,
}

/// What is inside a value.
#[derive(Debug)]
pub enum Shape {
    /// Unknown: the value can only be moved.
    Opaque,
    /// Fields at fixed places: a struct or tuple.
    Record(&'static [Field]),
    /// One of several variants.
    Choice(Choice),
    /// An array in place.
    Array {
        /// The number of elements.
        len: usize,
        /// Their type.
        element: Of,
    },
    /// `Box<T>`: the address of one element in memory of its own.
    Boxed(Of),
    /// Elements in a row, in memory of the container's own.
    Sequence(Sequence),
    /// One element inside a cell or lock.
    Cellular(Cellular),
    /// A counted reference.
    Shared(Shared),
    /// Elements that are visited and inserted one by one.
    Entries(Entries),
    /// Elements in pieces, whose type this is: a `Vec`.
    Pieces(Of),
    /// Elements that functions of the user's list and build a container of.
    Custom(Custom),
}

/// A field of a struct, tuple or variant.
#[derive(Debug)]
pub struct Field {
    /// Its name; `0`, `1` in tuples.
    pub name: &'static str,
    /// Its offset in bytes. 0 in variants, whose fields are found by [`Choice::project`].
    pub offset: usize,
    /// The name of its type.
    pub type_name: fn() -> &'static str,
    /// Its size in bytes.
    pub size: usize,
    /// Its alignment in bytes.
    pub align: usize,
    /// The destructor of its type.
    pub drop: Option<Destructor>,
    /// Its type's schema, if that is `Migrate`.
    pub schema: Option<Of>,
    /// The schema of a container whose elements are of a type that is not `Migrate`, and are made whole by a
    /// function.
    pub around: Option<Of>,
    /// The schema of a value that is made whole by a function: how to move and drop it.
    pub opaque: Of,
    /// Makes its default.
    pub default: Option<Maker>,
    /// Makes it from the old value.
    pub with: Option<Hook>,
    /// Makes the old value from it.
    pub back: Option<Hook>,
    /// Whether the elements inside are changed when they are first used.
    pub lazy: bool,
}

/// An enum.
#[derive(Debug)]
pub struct Choice {
    /// The variants in order.
    pub variants: &'static [Variant],
    /// Tells a value's variant, and where its fields are.
    pub project: Project,
    /// Makes a value of a variant from the bytes of its fields.
    pub build: Build,
}

/// Tells the variant of the value at the address, and adds the addresses of its fields in order.
///
/// # Safety
///
/// A value of the enum is there, and nobody changes it meanwhile.
pub type Project = unsafe fn(*const u8, &mut Vec<*const u8>) -> u32;

/// Makes a value of the variant at the last address, from the fields whose addresses are given.
///
/// # Safety
///
/// The addresses are those of values of the variant's field types in order, which count as moved
/// afterwards; the last one is good for writing a value of the enum.
pub type Build = unsafe fn(u32, &[*const u8], *mut u8);

/// A variant of an enum.
#[derive(Debug)]
pub struct Variant {
    /// Its name.
    pub name: &'static str,
    /// Its fields in order.
    pub fields: &'static [Field],
    /// Makes a value of the enum that is this variant, of all fields of the old variant in their order.
    pub with: Option<Run>,
}

impl Schema {
    /// A type of which nothing is known but how to move and drop it.
    #[must_use]
    pub const fn opaque<T>() -> Self {
        Self::of::<T>(Shape::Opaque)
    }

    /// The type `T`, with `shape` inside.
    #[must_use]
    pub const fn of<T>(shape: Shape) -> Self {
        Self {
            name: std::any::type_name::<T>,
            size: size_of::<T>(),
            align: align_of::<T>(),
            drop: probe::drop_of::<T>(),
            has_own_drop: false,
            shape,
        }
    }

    /// The type, which has a `Drop` of its own or none.
    #[must_use]
    pub const fn with_own_drop(mut self, has_own_drop: bool) -> Self {
        self.has_own_drop = has_own_drop;
        self
    }
}

impl Field {
    /// A field of type `F`, of which only name and place are known.
    #[must_use]
    pub const fn of<F>(name: &'static str, offset: usize, schema: Option<Of>) -> Self {
        Self {
            name,
            offset,
            type_name: std::any::type_name::<F>,
            size: size_of::<F>(),
            align: align_of::<F>(),
            drop: probe::drop_of::<F>(),
            schema,
            around: None,
            opaque: around::opaque::<F>,
            default: None,
            with: None,
            back: None,
            lazy: false,
        }
    }

    /// The field with the schema that its type has as a container of a type without one.
    #[must_use]
    pub const fn around(mut self, around: Option<Of>) -> Self {
        self.around = around;
        self
    }

    /// The field, whose elements are changed when they are first used.
    #[must_use]
    pub const fn lazily(mut self) -> Self {
        self.lazy = true;
        self
    }

    /// The field with a function that makes its default.
    #[must_use]
    pub const fn with_default(mut self, default: Option<Maker>) -> Self {
        self.default = default;
        self
    }

    /// The field with a function that makes it from the old value.
    #[must_use]
    pub const fn with_hook(mut self, with: Hook) -> Self {
        self.with = Some(with);
        self
    }

    /// The field with a function that makes the old value from it.
    #[must_use]
    pub const fn with_way_back(mut self, back: Hook) -> Self {
        self.back = Some(back);
        self
    }
}

impl Variant {
    /// A variant with these fields.
    #[must_use]
    pub const fn new(name: &'static str, fields: &'static [Field]) -> Self {
        Self {
            name,
            fields,
            with: None,
        }
    }

    /// The variant with a function that makes values of it from the old variant's fields.
    #[must_use]
    pub const fn with_function(mut self, with: Run) -> Self {
        self.with = Some(with);
        self
    }
}

impl Choice {
    /// The enum `T` with these variants.
    #[must_use]
    pub const fn of<T: Choose>(variants: &'static [Variant]) -> Self {
        Self {
            variants,
            project: crate::migrate::parts::project::<T>,
            build: crate::migrate::parts::build::<T>,
        }
    }
}
