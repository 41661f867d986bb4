//! The attribute macros of hotswap; users reach them through the crate `hotswap`.

mod check;
mod code_change;
mod expand;
mod hook;
mod hygiene;
mod migrate;
mod options;
mod parse;
mod rename;
mod result;
mod server;
mod signature;
mod wish;

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

/// Marks a function that makes the new value of a type when that type changes.
///
/// The function gets fields of the old value by reference, and makes the new value of them. Its
/// result tells the type that it is for: a type that derives [`Migrate`](macro@Migrate), or one of
/// another crate that does not. `hotswap::Old` has an example.
///
/// - The first parameter is `&hotswap::Old<'_>`, which tells the versions and the variant.
/// - Each other one is a field of the old type, by its name: `&T`, where `T` is the field's type, or
///   `Option<&T>` if there may be no such field. `#[field("0")]` before it names another field, in
///   an enum with its variant: `#[field("Open.since")] since: Option<&Instant>`.
/// - The result is `T`, or a `Result<T, E>` whose error can be shown.
///
/// That the types agree is checked before the swap: a field whose type has another layout in the new
/// code can't be taken. If the function fails, panics, or takes too long, the swap is refused, and
/// all values are as they were. Otherwise the old value is dropped once the swap stands.
///
/// As long as the function is there, it makes the new values at every change of the type, also where
/// only something inside changed. It must not use cells: they are held while it runs.
///
/// Options, in parentheses:
///
/// - `down`: the function is for the way back, when the program goes back to the version before. It
///   takes the whole value, and makes a struct with the fields that the older type has:
///   `fn shrink(old: &Old<'_>, player: &Player) -> Before`.
/// - `crate = path`: where the crate `hotswap` is found, if not under that name.
#[proc_macro_attribute]
pub fn code_change(options: TokenStream, item: TokenStream) -> TokenStream {
    code_change::expand(options.into(), item.into(), form()).into()
}

/// Makes a type's values such that they can be carried over when the type changes.
///
/// What it does, and the attributes `#[migrate(…)]`, are described at the trait of this name.
#[proc_macro_derive(Migrate, attributes(migrate))]
pub fn migrate(input: TokenStream) -> TokenStream {
    migrate::derive(input.into(), form()).into()
}

/// Says what becomes of a static's value when an edit changes its initialiser or its name.
///
/// ```
/// use std::sync::atomic::AtomicU32;
/// # mod hotswap { pub use hotswap_macros::hotswap; }
/// use hotswap::hotswap;
///
/// #[hotswap(keep)]
/// static VISITS: AtomicU32 = AtomicU32::new(0);
///
/// #[hotswap(new)]
/// static LIMIT: AtomicU32 = AtomicU32::new(10);
/// ```
///
/// - `keep`: the value in the program stays, and the report of a swap does not mention it. That is
///   what happens to most statics anyway; one that points at read-only data, as a `Mutex<&str>`,
///   starts afresh without the attribute when that data is edited.
/// - `new`: an edit of the initialiser or of the type makes a new static, which starts with the new
///   initialiser. Code of older versions goes on with the old static and its value. So an edit of
///   the type is not refused. It also starts afresh when the attribute is added.
/// - `was = "OLD"`: the static was called `OLD` in the running program, and its value is that one's. `OLD` is a
///   name in the same module; `was = "crate::state::OLD"` is one of another module of the crate. It counts as long
///   as nothing else has that name, and may be taken away once the edit is live.
///
/// None makes an edit live that is unsafe: a static that is kept has the type that it had. It
/// stands on `static`, `static mut`, and on what is inside `thread_local!`. Only `was` has a meaning
/// for a `Live` cell, and none of them where several statics of one function have one name. `was` may stand
/// beside one of the others, in an attribute of its own.
///
/// Behind that, `crate = path` says where the crate `hotswap` is found.
#[proc_macro_attribute]
pub fn hotswap(wish: TokenStream, item: TokenStream) -> TokenStream {
    wish::expand(wish.into(), item.into(), form()).into()
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

/// Marks a function that runs before its version of the code takes over, and can refuse to.
///
/// The function takes nothing or a `hotswap::Swap`, and returns nothing or a `Result` whose error can be
/// shown. When an edit goes live, the functions that the new code has with this mark run, in the new code,
/// once it is checked and loaded and before anything changed. If one fails or panics, or does not return
/// in the time of `SwapLimits::functions`, the new code is refused with what it said, and the program
/// runs on as it was.
///
/// What holds for all four kinds (`on_load`, [`before_swap`](macro@before_swap),
/// [`after_swap`](macro@after_swap), [`on_purge`](macro@on_purge)):
///
/// - They can stand in any crate of the workspace. Those of dependencies run first; those of one crate run in
///   the order of their paths.
/// - They run at every swap, whether their own code was edited or not: they are the version's, not the
///   edit's. Version 0, the program as it was started, has run none before its `main`.
/// - They run one after the other on a thread of the runtime's own, and the swap waits for them.
/// - With plain cargo nothing calls them, unless you do; they stay as they are written.
///
/// This one must not count on cells whose type the edit changes: they still hold the old values.
/// Entries that it calls run the old code, which is still current.
///
/// `crate = path` says where the crate `hotswap` is found, if not under that name.
#[proc_macro_attribute]
pub fn on_load(options: TokenStream, item: TokenStream) -> TokenStream {
    hook::expand(hook::When("on_load"), options.into(), item.into(), form()).into()
}

/// Marks a function that runs before another version takes the place of its own.
///
/// The function takes nothing or a `Swap`, and returns nothing or a `Result`. It runs in the code that is
/// still current, before calls are held back and before values in cells change their type. It can't keep
/// the swap from happening, or else a fault in it could never be mended by one: an error or panic is
/// reported with the swap, and one that does not return in the time of `SwapLimits::functions` is left
/// behind. It also runs where the swap then fails since a cell is in use, and before the program goes
/// back to older code.
///
/// Order and thread are described at [`on_load`](macro@on_load).
#[proc_macro_attribute]
pub fn before_swap(options: TokenStream, item: TokenStream) -> TokenStream {
    hook::expand(
        hook::When("before_swap"),
        options.into(),
        item.into(),
        form(),
    )
    .into()
}

/// Marks a function that runs after its version has become current.
///
/// The function takes nothing or a `Swap`, and returns nothing or a `Result`. It runs in the new code, when
/// all entries do and cells have their new values, and before the callbacks of `hotswap::on_swap`. Those are
/// closures that the program registers, which run at each swap from then on in the code that they were
/// written in; a function with this mark is found in each version anew, so it is always the newest, and
/// goes when it is deleted. An error or panic is reported; the swap stands.
///
/// After the program went back to older code, that code's functions run.
/// Order and thread are described at [`on_load`](macro@on_load).
#[proc_macro_attribute]
pub fn after_swap(options: TokenStream, item: TokenStream) -> TokenStream {
    hook::expand(
        hook::When("after_swap"),
        options.into(),
        item.into(),
        form(),
    )
    .into()
}

/// Marks a function that runs before its version's code is taken out of memory: the place to let go of what
/// refers to it.
///
/// The function takes nothing or a `Swap` (`from` is the version that goes, `to` the one that is current), and
/// returns nothing or a `Result`. It runs once for each version that came by an edit, when no call is under way
/// in that version's code any more and the program can't go back to it; then it is looked whether anything
/// still refers to that code, and as long as something does, the code stays. An error or panic is told among
/// what keeps the version, and does not.
///
/// Order and thread are described at [`on_load`](macro@on_load).
#[proc_macro_attribute]
pub fn on_purge(options: TokenStream, item: TokenStream) -> TokenStream {
    hook::expand(hook::When("on_purge"), options.into(), item.into(), form()).into()
}

/// For whom the crate is compiled.
fn form() -> expand::Form {
    if std::env::var_os("HOTSWAP_EXPAND").is_some() {
        expand::Form::Hot
    } else {
        expand::Form::Plain
    }
}
