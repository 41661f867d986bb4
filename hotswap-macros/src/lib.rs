//! The attribute macros of hotswap; users reach them through the crate `hotswap`.

mod check;
mod expand;
mod migrate;
mod options;
mod parse;
mod rename;
mod result;
mod server;
mod signature;

use proc_macro::TokenStream;

/// Marks a function whose calls always go to the current version.
///
/// It can stand on functions, methods, and on `impl` blocks and inline modules, where it marks
/// every function inside. Options, in parentheses:
///
/// - `untracked`: calls are not counted. They are cheaper, and nothing tells when they have ended. A
///   swap that changes the type of a `Live` cell neither waits for them nor holds them back.
/// - `skip`, on a function in a marked block: this one stays an ordinary function.
/// - `crate = path`: where the crate `hotswap` is found, if not under that name.
///
/// What is generic over types or constants cannot be an entry, since every instance is code of its
/// own. That a method stands in a generic `impl` block cannot be seen from the method: there,
/// `cargo hotswap` refuses it.
///
/// Unless the program is built by `cargo hotswap`, the function stays as it is written.
///
/// # What changes under `cargo hotswap`
///
/// The body moves into a closure that is called through the current version's table.
///
/// - `async fn` and results `impl Future`, `impl Iterator`, `impl Fn`, `impl Display` and
///   `impl Debug` are boxed. They are `Send`, `Sync` and `Unpin` exactly where they were. Another
///   `impl Trait` crosses by value: when its layout changes, callers from before keep the old code.
/// - With `#[track_caller]`, `Location::caller()` written in the body is still the caller's, and a
///   panic in the body is reported where it is written.
/// - `#[inline]` has no effect: the caller does not know which body it will call.
/// - Other attribute macros on the function are expanded first, whatever their order.
#[proc_macro_attribute]
pub fn entry(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::entry(options.into(), item.into(), form()).into()
}

/// Makes a type's values such that they can be carried over when the type changes.
///
/// What it does, and the attributes `#[migrate(…)]`, are described at the trait of this name.
#[proc_macro_derive(Migrate, attributes(migrate))]
pub fn migrate(input: TokenStream) -> TokenStream {
    migrate::derive(input.into(), form()).into()
}

/// Completes an implementation of `Server`, and makes the cells and the entry that servers of the type
/// need.
///
/// What it does is described at the trait. `crate = path` says where the crate `hotswap` is found, if not
/// under that name.
#[proc_macro_attribute]
pub fn server(options: TokenStream, item: TokenStream) -> TokenStream {
    server::expand(options.into(), item.into()).into()
}

/// For whom the crate is compiled.
fn form() -> expand::Form {
    if std::env::var_os("HOTSWAP_EXPAND").is_some() {
        expand::Form::Hot
    } else {
        expand::Form::Plain
    }
}
