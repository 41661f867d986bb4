//! Small objects made for one property each, inspected and rewritten with no compiler in the loop.

mod facts;
mod made;
mod rewriting;
