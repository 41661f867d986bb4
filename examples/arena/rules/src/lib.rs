//! What happens in the arena: one step of time, and what the keys do.

use arena_world::{Ball, World};

/// In cells a second, each second.
const GRAVITY: f64 = 20.0;
/// How much of its speed a ball keeps when it hits something.
const BOUNCE: f64 = 0.9;

/// An entry, called once a frame: time goes on by so many seconds.
#[hotswap::entry]
pub fn step(world: &mut World, seconds: f64) {
    if world.paused {
        return;
    }
    world.steps += 1;
    let (width, height) = (world.width, world.height);
    for ball in &mut world.balls {
        ball.up -= GRAVITY * seconds;
        ball.x += ball.right * seconds;
        ball.y += ball.up * seconds;
        let hits = [
            within(&mut ball.x, &mut ball.right, width),
            within(&mut ball.y, &mut ball.up, height),
        ];
        ball.bounces += hits.into_iter().map(u32::from).sum::<u32>();
    }
}

/// Turns what left the box back, and says whether it did.
fn within(place: &mut f64, speed: &mut f64, end: f64) -> bool {
    let outside = *place < 0.0 || *place > end;
    if outside {
        *place = place.clamp(0.0, end);
        *speed *= -BOUNCE;
    }
    outside
}

/// An entry, called for each key; `false` ends the program.
#[hotswap::entry]
pub fn key(world: &mut World, key: char) -> bool {
    match key {
        ' ' => world.balls.push(thrown(world)),
        'p' => world.paused = !world.paused,
        'q' => return false,
        _ => {}
    }
    true
}

/// Each ball is thrown a little harder than the one before.
fn thrown(world: &World) -> Ball {
    Ball {
        x: 1.0,
        y: world.height / 2.0,
        right: 8.0 + world.balls.len() as f64,
        up: 0.0,
        bounces: 0,
    }
}
