//! What there is in the arena. It knows neither the rules nor the screen.
//!
//! The values live as long as the program does, in a cell of the runtime. Edit a field while it
//! runs, and between two frames all that is there gets the new form.

use hotswap::{Live, Migrate};

/// The arena.
pub static WORLD: Live<World> = Live::new(|| World::new(100.0, 40.0));

/// The box and all that moves in it. The floor is at height 0, and lengths are in cells.
#[derive(Debug, Migrate)]
pub struct World {
    /// How wide the box is.
    pub width: f64,
    /// How high it is.
    pub height: f64,
    /// In the order in which they were thrown in.
    pub balls: Vec<Ball>,
    /// How many steps there were.
    pub steps: u64,
    /// Whether time stands still.
    pub paused: bool,
}

/// A ball.
#[derive(Debug, Migrate)]
pub struct Ball {
    /// From the left wall.
    pub x: f64,
    /// Above the floor.
    pub y: f64,
    /// To the right, in cells a second.
    pub right: f64,
    /// Upwards, in cells a second.
    pub up: f64,
    /// How often it hit a wall or the floor.
    pub bounces: u32,
}

impl World {
    /// A box without balls.
    pub fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            balls: Vec::new(),
            steps: 0,
            paused: false,
        }
    }

    /// How often balls hit something.
    pub fn bounces(&self) -> u32 {
        self.balls.iter().map(|ball| ball.bounces).sum()
    }

    /// One line on how things are.
    pub fn summary(&self) -> String {
        let balls = self.balls.len();
        format!("{balls} balls, {} bounces", self.bounces())
    }
}
