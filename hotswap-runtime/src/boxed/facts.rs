//! What a hidden type implements, asked at load time.
//!
//! The type of a future or an `impl Trait` result can be inferred inside the function that makes
//! it, and nowhere named; least of all in the entry's descriptor, which is a static. So the body
//! calls [`witness`] with it, which leaves a jump to [`of`] for that type in the object file, under
//! a name that is made from the entry's own [`Witness`]; and [`ask`], which the descriptor points
//! to, finds it by that name.

use std::marker::PhantomData;
use std::rc::Rc;

use crate::entry::Descriptor;

/// The bit that is set in every answer.
const KNOWN: u32 = 1;
const SEND: u32 = 1 << 1;
const SYNC: u32 = 1 << 2;
const UNPIN: u32 = 1 << 3;

/// A type of each entry with a hidden type, which stands for it in symbol names.
pub trait Witness {
    /// The entry. Its symbol names the facts; returning different statics keeps the functions of
    /// different entries from being merged.
    fn entry() -> &'static Descriptor;
}

/// The facts of `T`.
///
/// This is compiled for every hidden type, so it uses as few generic functions as can be.
fn of<T>() -> u32 {
    let unit = Rc::new(());
    let mut facts = KNOWN;
    if is_reflexive::<IfSend<T>>(&unit) {
        facts |= SEND;
    }
    if is_reflexive::<IfSync<T>>(&unit) {
        facts |= SYNC;
    }
    if is_reflexive::<IfUnpin<T>>(&unit) {
        facts |= UNPIN;
    }
    facts
}

/// Whether `P`, which equals nothing, is [`Eq`] nevertheless.
///
/// `Rc` promises that two pointers to one allocation are equal if the value's type is `Eq`, and
/// compares the values otherwise.
fn is_reflexive<P: PartialEq + Probe>(unit: &Rc<()>) -> bool {
    // SAFETY: a probe has, like `()`, no size and alignment 1, so that an `Rc` of one can stand for
    // an `Rc` of the other, as `Rc::from_raw` has it. Nothing but the comparison is done with it.
    let probe: &Rc<P> = unsafe { std::mem::transmute(unit) };
    #[expect(
        clippy::eq_op,
        reason = "the question is whether the type is reflexive"
    )]
    let reflexive = probe == probe;
    reflexive
}

/// A type without size that is [`Eq`] under a condition.
///
/// # Safety
///
/// It must have no size and alignment 1, and every value of it must be valid.
unsafe trait Probe {}

macro_rules! probes {
    ($($probe:ident: $auto:ident;)*) => {$(
        struct $probe<T>(PhantomData<T>);

        // SAFETY: `PhantomData` is such a type.
        unsafe impl<T> Probe for $probe<T> {}

        impl<T> PartialEq for $probe<T> {
            fn eq(&self, _: &Self) -> bool {
                false
            }
        }

        impl<T: $auto> Eq for $probe<T> {}
    )*};
}

probes! {
    IfSend: Send;
    IfSync: Sync;
    IfUnpin: Unpin;
}

/// Leaves the way to the facts of `T` in the object file.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[inline(never)]
pub fn witness<W: Witness, T>() {
    // SAFETY: the assembly emits a function of one jump into a section of its own, and nothing
    // where it stands. The symbol is weak, since this function may be compiled more than once.
    unsafe {
        std::arch::asm!(
            ".pushsection .text.hotswap_facts,\"ax\",@progbits",
            ".weak {entry}.facts",
            ".hidden {entry}.facts",
            ".type {entry}.facts,@function",
            "{entry}.facts:",
            "jmp {of}",
            ".size {entry}.facts, . - {entry}.facts",
            ".popsection",
            entry = sym W::entry,
            of = sym of::<T>,
            options(nomem, nostack, preserves_flags),
        );
    }
}

/// The facts that the entry's body left; 0 if it left none.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub fn ask<W: Witness>() -> u32 {
    let facts: *const ();
    // SAFETY: the assembly loads an address from the table that the linker makes for it.
    unsafe {
        std::arch::asm!(
            ".weak {entry}.facts",
            ".hidden {entry}.facts",
            "mov {facts}, qword ptr [rip + {entry}.facts@GOTPCREL]",
            entry = sym W::entry,
            facts = out(reg) facts,
            options(nomem, nostack, preserves_flags),
        );
    }
    // SAFETY: the symbol is null, or a function that jumps to `of` for some type; null is `None`.
    let facts: Option<fn() -> u32> = unsafe { std::mem::transmute(facts) };
    match facts {
        Some(facts) => facts(),
        None => 0,
    }
}

/// Nothing is swapped on this target.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub fn witness<W: Witness, T>() {}

/// Nothing is swapped on this target.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub fn ask<W: Witness>() -> u32 {
    0
}
