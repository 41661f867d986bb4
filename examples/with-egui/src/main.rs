//! A shopping list with egui.
//!
//! Start it with `cargo hotswap run -p with-egui --features window`, and edit `List::show`: the
//! window shows the new look at once, and items, half typed text and unfolded headings are as
//! they were. Without the feature, or with `-- --headless`, it has no window: it reads what the
//! user does from the input, `type milk` or `click Add`, and prints the texts of each frame.

mod headless;
mod list;
#[cfg(feature = "window")]
mod window;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    #[cfg(feature = "window")]
    if std::env::args().all(|argument| argument != "--headless") {
        return Ok(window::run()?);
    }
    Ok(headless::run()?)
}
