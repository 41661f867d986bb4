//! What a type's values are made of, so that they can become values of the same type's next version.
//!
//! [`Migrate`] gives a [`Schema`](schema::Schema): a table that is compiled into each version, with
//! the offsets, sizes and functions that belong to that version's layout. Nothing here decides what
//! becomes of what; the tool does, by names.

pub mod around;
pub(crate) mod cells;
pub(crate) mod code_change;
pub(crate) mod container;
pub(crate) mod describe;
pub(crate) mod hook;
pub(crate) mod maps;
pub(crate) mod of_fields;
pub(crate) mod parts;
pub(crate) mod pieces;
pub(crate) mod probe;
pub(crate) mod schema;
pub(crate) mod sequence;
pub(crate) mod shared;
mod standard;
mod sums;

use schema::Schema;

/// A type whose values can be carried over when it changes while the program runs.
///
/// Derive it for the types that a [`Live`](crate::Live) cell holds, directly or inside others:
///
/// ```
/// #[derive(hotswap::Migrate, Default)]
/// struct World {
///     round: u64,
///     players: Vec<Player>,
/// }
///
/// #[derive(hotswap::Migrate, Default)]
/// struct Player {
///     name: String,
///     #[migrate(default = 100)]
///     health: u32,
/// }
/// ```
///
/// When an edit changes such a type, each value becomes one of the new type, field by field, by
/// name. A field whose type is the same down to the last layout is moved as it is, however large it
/// is; elements of a changed type inside the standard library's containers are changed one by one;
/// a new field gets its default. A field whose own type is not `Migrate` can only be moved.
///
/// # Attributes
///
/// On a field:
///
/// - `#[migrate(default = expression)]`: the value of the field where the old type has none. Without
///   it, `Default::default()`, if the field's type has that.
/// - `#[migrate(was = "old_name")]`: the field was renamed.
/// - `#[migrate(was = "old_name: OldType")]`: its type changed, and the new value is
///   `From::from` of a clone of the old one. The name may be the same.
/// - `#[migrate(with = path)]`: its type changed, and `path`, a `fn(&Old) -> New` or
///   `fn(&Old) -> Result<New, impl Display>`, makes the new value.
/// - `#[migrate(back = path)]`: the way back for a revert, `fn(&New) -> Old`; or a `Result`, if `was`
///   says the old type.
///
/// - `#[migrate(lazy)]`: it is a [`Pieces`](crate::Pieces), whose elements are changed when they are first used.
///
/// On a variant:
///
/// - `#[migrate(was = "OldName")]`: the variant was renamed.
/// - `#[migrate(with = path)]`: its fields changed, and `path` makes the new value of the old variant's
///   fields, all of them, each by reference and in their order. For `Open { since: u32, by: String }` that is a
///   `fn(&u32, &String) -> Self`, or one that returns `Result<Self, impl Display>`. What it makes has to be of this
///   variant. Together with `was` it is asked also where the fields are the same. There is no way back from what it
///   made, but by a [`code_change`](macro@crate::code_change) for that.
///
/// On the type:
///
/// - `#[migrate(crate = path)]`: where the crate `hotswap` is found, if not under that name.
/// - `#[migrate(container(T))]`: it is a [`Container`](crate::Container) of elements of its type parameter
///   `T`; `container(K, V)`: it is a [`MapContainer`](crate::MapContainer). It is not taken apart by fields.
///
/// These functions get the old value by reference. If one panics or fails, the swap is refused, and
/// all values are as they were.
///
/// # Other implementations
///
/// The standard library's types have it where they can be carried over. Implement it by deriving
/// only, for containers too: what a schema consists of changes between versions of this crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be carried over when it changes",
    label = "this type is not `Migrate`",
    note = "write `#[derive(hotswap::Migrate)]` on `{Self}`, or keep it inside a struct that has that"
)]
pub trait Migrate {
    /// The table of this version's layout.
    #[doc(hidden)]
    fn schema() -> &'static Schema;
}
