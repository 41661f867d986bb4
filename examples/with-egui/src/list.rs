//! The list, and how it looks.

use egui::{CentralPanel, TextEdit, Ui};

/// The application: it lives as long as the program. An edit of its fields is refused meanwhile.
#[derive(Default)]
pub struct List {
    items: Vec<Item>,
    draft: String,
}

struct Item {
    name: String,
    bought: bool,
}

impl List {
    /// The entry: one frame. egui keeps focus, folds and scroll bars from one frame to the next
    /// by their ids, in the context that the window holds.
    #[hotswap::entry]
    pub fn show(&mut self, ui: &mut Ui) {
        CentralPanel::default().show(ui, |ui| {
            ui.heading("Shopping list");
            for item in &mut self.items {
                ui.checkbox(&mut item.bought, &item.name);
            }
            ui.horizontal(|ui| self.adding(ui));
            ui.collapsing("Summary", |ui| ui.label(self.summary()));
        });
    }

    fn adding(&mut self, ui: &mut Ui) {
        ui.add(TextEdit::singleline(&mut self.draft).hint_text("What else?"));
        if ui.button("Add").clicked() && !self.draft.is_empty() {
            let name = std::mem::take(&mut self.draft);
            self.items.push(Item {
                name,
                bought: false,
            });
        }
    }

    fn summary(&self) -> String {
        let bought = self.items.iter().filter(|item| item.bought).count();
        format!("{bought} of {} bought", self.items.len())
    }
}
