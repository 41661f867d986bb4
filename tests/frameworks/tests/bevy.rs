//! bevy: systems, with the lifetimes that their parameters hide.

use bevy_ecs::prelude::*;

#[derive(Component)]
struct Position(f32);

#[derive(Resource)]
struct Step(f32);

#[hotswap::entry]
fn spawn(mut commands: Commands) {
    commands.spawn(Position(1.0));
}

#[hotswap::entry]
fn walk(mut positions: Query<&mut Position>, step: Res<Step>, mut walked: Local<u32>) {
    for mut position in &mut positions {
        position.0 += step.0;
        *walked += 1;
    }
}

#[hotswap::entry(untracked)]
fn exclusive(world: &mut World) {
    world.resource_mut::<Step>().0 *= 2.0;
}

#[hotswap::entry]
fn total(positions: Query<&Position, With<Position>>) -> f32 {
    positions.iter().map(|position| position.0).sum()
}

#[test]
fn systems_run() {
    let mut world = World::new();
    world.insert_resource(Step(1.0));
    let mut schedule = Schedule::default();
    schedule.add_systems((walk, exclusive).chain());
    world.run_system_once(spawn).unwrap();
    schedule.run(&mut world);
    schedule.run(&mut world);
    assert_eq!(world.run_system_once(total).unwrap(), 4.0);
}

use bevy_ecs::system::RunSystemOnce;
