//! The list in a window.

use eframe::{CreationContext, Frame, NativeOptions};

use crate::list::List;

impl eframe::App for List {
    /// What eframe calls through the trait object that it was given. It could be the entry
    /// itself; here that is what it calls, since there is a way without a window too.
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut Frame) {
        self.show(ui);
    }
}

/// Runs until the window is closed.
pub fn run() -> eframe::Result {
    eframe::run_native(
        "Shopping list",
        NativeOptions::default(),
        Box::new(|creation| Ok(Box::new(list(creation)))),
    )
}

/// egui draws when something happens, and new code is something that happened.
fn list(creation: &CreationContext) -> List {
    let context = creation.egui_ctx.clone();
    hotswap::on_swap(move |_| context.request_repaint());
    List::default()
}
