//! Which statics shall be kept or be new when their initialisers are edited, and which had another name, as their
//! sources say.

use hotswap_layout::Program;
use hotswap_object::{StaticFacts, Wish};

use crate::facts::Analysed;

/// What is told of a static that its source wishes to be new.
pub const WISHED: &str =
    "`#[hotswap(new)]`: it starts afresh, and older code goes on with the value that it had";

/// Why such a wish is refused.
pub const CELL_NEW: &str = "`#[hotswap(new)]` stands on a cell, whose value is known by its path: take the attribute away, \
                        or give the cell another name, and it starts afresh";

/// Fills in what the objects of a unit say of its statics, whose types these are.
pub fn fill<'a>(
    statics: &mut [StaticFacts],
    analysed: impl IntoIterator<Item = &'a Analysed>,
    types: &Program,
) {
    for facts in statics.iter_mut() {
        let known = types.static_type(&facts.symbol);
        facts.type_size = known.and_then(|known| known.size);
    }
    let wishes = analysed.into_iter();
    let wishes: Vec<_> = wishes.flat_map(|object| &object.facts.wishes).collect();
    if wishes.is_empty() {
        return;
    }
    for facts in statics {
        let mut wish = None;
        for found in wishes.iter().filter(|found| found.is_about(&facts.path)) {
            match &found.wish {
                Wish::Was(path) => facts.was = Some(path.clone()),
                other => wish = Some(other.clone()),
            }
        }
        if let Some(Wish::New { layout, .. }) = &mut wish {
            let known = types.static_type(&facts.symbol);
            *layout = known.map(|known| known.fingerprint.to_string());
        }
        facts.wish = wish;
    }
}
