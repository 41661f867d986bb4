//! Sheep on a meadow: a bevy schedule that runs without a window.
//!
//! Start it with `cargo hotswap run -p with-bevy`, and edit a system, how fast grass grows for
//! example: the next frame is new, and all sheep are where they were.

mod meadow;

use std::time::Duration;

use bevy_app::{App, ScheduleRunnerPlugin, Startup, Update};
use bevy_ecs::schedule::IntoScheduleConfigs;
use meadow::{Grass, graze, grow, live, report, settle, wither};

/// The schedule is built once, before the first frame: a system that is added to it, or another
/// order, needs a restart. The systems themselves are entries, and new at each frame.
fn main() {
    App::new()
        .add_plugins(ScheduleRunnerPlugin::run_loop(Duration::from_millis(100)))
        .insert_resource(Grass(100.0))
        .add_systems(Startup, settle)
        .add_systems(Update, (grow, wither, graze, live, report).chain())
        .run();
}
