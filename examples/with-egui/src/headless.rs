//! The list without a window: deeds by lines of input, frames as lines of text.

use std::io;

use egui::{
    Context, Event, Modifiers, PointerButton, Pos2, RawInput, Rect, Shape, epaint::TextShape, vec2,
};

use crate::list::List;

/// Runs until the end of the input.
pub fn run() -> io::Result<()> {
    let context = Context::default();
    let mut list = List::default();
    let mut texts = frame(&context, &mut list, Vec::new());
    for line in io::stdin().lines() {
        for event in events(&line?, &texts) {
            frame(&context, &mut list, vec![event]);
        }
        texts = frame(&context, &mut list, Vec::new());
        let words: Vec<_> = texts.iter().map(|(text, _)| text.as_str()).collect();
        println!("{}", words.join(" | "));
    }
    Ok(())
}

/// What a line of input does to a window that shows these texts.
fn events(line: &str, texts: &[(String, Pos2)]) -> Vec<Event> {
    match line.split_once(' ') {
        Some(("type", text)) => vec![Event::Text(text.to_owned())],
        Some(("click", label)) => {
            let place = texts.iter().find(|(text, _)| text == label);
            place.map_or_else(Vec::new, |(_, place)| click(*place))
        }
        _ => Vec::new(),
    }
}

fn click(pos: Pos2) -> Vec<Event> {
    let button = |pressed| Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    vec![Event::PointerMoved(pos), button(true), button(false)]
}

/// One frame: gives its texts, and where their centres are.
fn frame(context: &Context, list: &mut List, events: Vec<Event>) -> Vec<(String, Pos2)> {
    let input = RawInput {
        screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(400.0, 300.0))),
        events,
        ..RawInput::default()
    };
    let output = context.run_ui(input, |ui| list.show(ui));
    let mut texts = Vec::new();
    for clipped in &output.shapes {
        collect(&clipped.shape, &mut texts);
    }
    // Nobody paints, so nobody needs the glyphs either.
    output.drop_without_applying_deltas();
    texts
}

fn collect(shape: &Shape, texts: &mut Vec<(String, Pos2)>) {
    match shape {
        Shape::Vec(shapes) => shapes.iter().for_each(|shape| collect(shape, texts)),
        Shape::Text(TextShape { galley, pos, .. }) if !galley.text().is_empty() => {
            let place = galley.rect.translate(pos.to_vec2()).center();
            texts.push((galley.text().to_owned(), place));
        }
        _ => {}
    }
}
