//! egui without a window: what the user had done is kept, by the program and by egui.

use anyhow::Result;
use hotswap_tests::{Package, Session};

use super::live;

const LIST: &str = "examples/with-egui/src/list.rs";

#[test]
fn egui_keeps_items_drafts_and_folds() -> Result<()> {
    let package = Package::of_example("with-egui")?;
    let mut session = Session::run(&package, &["-p", "with-egui", "--", "--headless"])?;
    session.ask(
        "click What else?",
        "Shopping list | What else? | Add | Summary",
    )?;
    session.ask("type milk", "Shopping list | milk | Add | Summary")?;
    let added = "Shopping list | milk | What else? | Add | Summary";
    session.ask("click Add", added)?;
    session.ask("click Summary", &format!("{added} | 0 of 1 bought"))?;
    session.send("click What else?")?;
    session.line()?;
    let typed = "Shopping list | milk | bre | Add | Summary | 0 of 1 bought";
    session.ask("type bre", typed)?;
    package.edit(LIST, "\"Shopping list\"", "\"Groceries\"")?;
    live(&mut session)?;
    // The heading is new, the fold is open, the half typed word has the keyboard.
    let typed = "Groceries | milk | bread | Add | Summary | 0 of 1 bought";
    session.ask("type ad", typed)?;
    package.edit(
        LIST,
        "{bought} of {} bought",
        "{bought} in the basket, of {}",
    )?;
    live(&mut session)?;
    let bought = "Groceries | milk | bread | Add | Summary | 1 in the basket, of 1";
    session.ask("click milk", bought)?;
    session.quit()
}
