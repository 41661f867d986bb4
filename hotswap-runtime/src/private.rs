//! What macro output may name. Nothing here is for people, and all of it may change.

/// The names, under the version that the macros must have too: output of other macros names another
/// module, and does not compile.
pub mod v0_1_0 {
    pub use crate::boxed::facts::{Witness, ask};
    pub use crate::boxed::{
        CallableBox, DebugBox, DisplayBox, DoubleEndedBox, FutureBox, IteratorBox, by_value,
    };
    pub use crate::entry::{Arg, Descriptor, FUTURE, HIDDEN, LOCATION, UNTRACKED};
    pub use crate::gate::arity::{
        apply0, apply1, apply2, apply3, apply4, apply5, apply6, apply7, apply8, apply9, apply10,
        apply11, apply12, apply13, apply14, apply15, apply16, call0, call1, call2, call3, call4,
        call5, call6, call7, call8, call9, call10, call11, call12, call13, call14, call15, call16,
    };
    pub use crate::gate::{Tracked, TrackedFuture, Untracked, anchor, pin_box};
    pub use crate::hook::{SwapHook, outcome as hook_outcome};
    pub use crate::logged::{ByDebug, ByType, LoggedCall, Shown, is_among};
    pub use crate::migrate::around;
    pub use crate::migrate::around::Differ;
    pub use crate::migrate::code_change::{
        Ask, CodeChange, Given, Lent, Parameter, Perhaps, Run, Told, change,
    };
    pub use crate::migrate::container::Custom;
    pub use crate::migrate::describe::Description;
    pub use crate::migrate::hook::{Answer, Hook, Request, ask as ask_hook, from_clone};
    pub use crate::migrate::of_fields::{OfFields, of_fields};
    pub use crate::migrate::parts::{Choose, Fields, Parts};
    pub use crate::migrate::pieces::{Lazy, is_lazy};
    pub use crate::migrate::probe::{
        NoContainer, NoDefault, NoOwnDrop, NoSchema, NoSize, NoText, Probe, put,
    };
    pub use crate::migrate::schema::{Choice, Field, Maker, Of, Schema, Shape, Variant};

    pub use crate::rehearsal::{Rehearsal, Rehearsed};
    pub use crate::server::after::{place, states_of};
    pub use crate::server::cells::{Cells, Messages, States, nothing};
    pub use crate::server::serve::serve;

    /// Names the type `!`, which only results may be: `<fn() -> ! as Returns>::Result`.
    pub trait Returns {
        /// What the function returns.
        type Result;
    }

    impl<R> Returns for fn() -> R {
        type Result = R;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_module_is_named_for_the_version() {
        let module = format!(
            "pub mod v{} {{",
            env!("CARGO_PKG_VERSION").replace('.', "_")
        );
        assert!(include_str!("private.rs").contains(&module), "{module}");
    }
}
