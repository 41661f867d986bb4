//! Containers in pieces, each of which is a `Vec`.

use crate::migrate::Migrate;
use crate::migrate::schema::{Schema, Shape};
use crate::pieces::Pieces;

/// A container whose elements can migrate when they are first used.
#[diagnostic::on_unimplemented(
    message = "elements of `{Self}` can't migrate when they are first used",
    label = "`#[migrate(lazy)]` stands on a field of this type",
    note = "make it a `hotswap::Pieces<…>`, or leave `lazy` out: then all elements migrate in the swap"
)]
pub trait Lazy: Migrate {}

impl<T: Migrate> Lazy for Pieces<T> {}

impl<T: Migrate> Migrate for Pieces<T> {
    fn schema() -> &'static Schema {
        const { &Schema::of::<Self>(Shape::Pieces(Vec::<T>::schema)) }
    }
}

/// Compiles for the types of fields that `#[migrate(lazy)]` may stand on.
pub const fn is_lazy<T: Lazy>() {}
