//! Functions of the user's that make a value of one variant from references to the fields of an older one.

use crate::migrate::code_change::{Ask, Lent, Parameter, Told, change};
use crate::migrate::hook::{Fallible, HookResult};

/// A function that takes a reference to each of some fields, in their order, and makes an `N` or a
/// `Result` with one. `Form` only keeps the implementations apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not make a `{N}` of the fields of a variant",
    label = "has to take a reference to each field of the older variant, up to eight, and to return `{N}`, \
             or a `Result` with it"
)]
pub trait OfFields<N, Form> {
    /// What it takes.
    const TAKES: &'static [fn() -> Parameter];

    /// Asks it.
    ///
    /// # Errors
    ///
    /// The function's own.
    fn make(&self, fields: Lent<'_>) -> Result<N, String>;
}

macro_rules! of_fields {
    ($($field:ident $number:literal),*) => {
        impl<Function, N, Made, Form, $($field),*> OfFields<N, (Form, Made, $($field),*)> for Function
        where
            Function: Fn($(&$field),*) -> Made,
            Made: HookResult<N, Form>,
        {
            const TAKES: &'static [fn() -> Parameter] = &[$(Parameter::given::<$field>),*];

            fn make(&self, fields: Lent<'_>) -> Result<N, String> {
                // One without fields gets none.
                let _ = fields;
                self($(fields.given::<$field>($number)),*).into_result()
            }
        }
    };
}

of_fields!();
of_fields!(A 0);
of_fields!(A 0, B 1);
of_fields!(A 0, B 1, C 2);
of_fields!(A 0, B 1, C 2, D 3);
of_fields!(A 0, B 1, C 2, D 3, E 4);
of_fields!(A 0, B 1, C 2, D 3, E 4, F 5);
of_fields!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
of_fields!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

/// Asks the user's function.
pub fn of_fields<N, Form, F: OfFields<N, Form>>(function: F, ask: Ask<'_>) -> Told {
    change::<N, _, Fallible>(ask, F::TAKES, |_, lent| function.make(lent))
}
