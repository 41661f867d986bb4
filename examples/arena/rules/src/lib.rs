//! What happens in the arena: one step of time, and what the keys do.

use arena_world::{Ball, WORLD, World};

/// In cells a second, each second.
const GRAVITY: f64 = 20.0;
/// How much of its speed a ball keeps when it hits something.
const BOUNCE: f64 = 0.9;
/// Balls that one key throws in, to see what many cost.
const A_MILLION: usize = 1_000_000;

/// An entry, called once a frame: time goes on by so many seconds.
#[hotswap::entry]
pub fn step(seconds: f64) {
    let world = &mut *WORLD.write();
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
pub fn key(key: char) -> bool {
    let world = &mut *WORLD.write();
    match key {
        ' ' => throw(world),
        'm' => (0..A_MILLION).for_each(|_| throw(world)),
        'p' => world.paused = !world.paused,
        'q' => return false,
        _ => {}
    }
    true
}

/// Throws a ball in, a little harder than the one before.
fn throw(world: &mut World) {
    let ball = Ball {
        x: 1.0,
        y: world.height / 2.0,
        right: 8.0 + world.balls.len() as f64,
        up: 0.0,
        bounces: 0,
    };
    world.balls.push(ball);
}
