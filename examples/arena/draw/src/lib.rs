//! How the arena looks.

use arena_world::{WORLD, World};
use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::Color,
    text::Line,
    widgets::{
        Block,
        canvas::{Canvas, Points},
    },
};

/// More balls than these would only cover each other.
const SHOWN: usize = 10_000;

/// The entry: one frame. What ratatui keeps from one frame to the next is in the terminal, which
/// the program holds.
#[hotswap::entry]
pub fn frame(frame: &mut Frame) {
    let world = &*WORLD.read();
    let rows = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]);
    let [top, bottom] = frame.area().layout(&rows);
    let places: Vec<_> = world
        .balls
        .iter()
        .take(SHOWN)
        .map(|ball| (ball.x, ball.y))
        .collect();
    let canvas = Canvas::default()
        .block(Block::bordered().title(" Arena "))
        .x_bounds([0.0, world.width])
        .y_bounds([0.0, world.height])
        .paint(|context| context.draw(&Points::new(&places, Color::Yellow)));
    frame.render_widget(canvas, top);
    frame.render_widget(status(world), bottom);
}

fn status(world: &World) -> Line<'static> {
    let state = if world.paused { "paused" } else { "running" };
    let steps = world.steps;
    Line::from(format!(
        "{} | step {steps}, {state} | space: a ball, m: a million, p: pause, q: quit",
        world.summary()
    ))
}
