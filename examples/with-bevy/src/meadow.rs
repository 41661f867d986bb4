//! What lives on the meadow, and the systems that make it live.
//!
//! bevy keeps components, resources and the `Local`s of systems in its world: they stay as they
//! are from version to version. An edit of their fields is refused while the program runs.

use bevy_ecs::prelude::*;

/// How much of it there is.
#[derive(Resource)]
pub struct Grass(pub f32);

/// What makes an entity a sheep.
#[derive(Component)]
pub struct Sheep {
    name: String,
    energy: f32,
}

/// Two sheep to begin with.
pub fn settle(mut commands: Commands) {
    for name in ["Dolly", "Shaun"] {
        commands.spawn(Sheep {
            name: name.to_owned(),
            energy: 10.0,
        });
    }
}

/// Grass grows.
#[hotswap::entry]
pub fn grow(mut grass: ResMut<Grass>) {
    grass.0 = (grass.0 + 3.0).min(100.0);
}

/// An exclusive system: it has the whole world, and runs alone. One that takes no time need not be
/// counted while it runs.
#[hotswap::entry(untracked)]
pub fn wither(world: &mut World) {
    let mut grass = world.resource_mut::<Grass>();
    grass.0 = grass.0.min(90.0);
}

/// Each sheep takes its bite, if there is one.
#[hotswap::entry]
pub fn graze(mut grass: ResMut<Grass>, mut sheep: Query<&mut Sheep>) {
    for mut sheep in &mut sheep {
        let bite = grass.0.min(1.0);
        grass.0 -= bite;
        sheep.energy += bite - 0.5;
    }
}

/// A sheep that is well fed has a lamb, and one that is starved is no more. The `Local` is kept by
/// bevy too: lambs are numbered on.
#[hotswap::entry]
pub fn live(mut commands: Commands, mut lambs: Local<u32>, mut sheep: Query<(Entity, &mut Sheep)>) {
    for (entity, mut sheep) in &mut sheep {
        if sheep.energy > 20.0 {
            sheep.energy -= 10.0;
            *lambs += 1;
            let name = format!("lamb {}", *lambs);
            commands.spawn(Sheep { name, energy: 5.0 });
        } else if sheep.energy < 0.0 {
            commands.entity(entity).despawn();
        }
    }
}

/// Says how things are, each tenth frame.
#[hotswap::entry]
pub fn report(mut frame: Local<u32>, grass: Res<Grass>, sheep: Query<&Sheep>) {
    *frame += 1;
    if !frame.is_multiple_of(10) {
        return;
    }
    let strongest = sheep
        .iter()
        .max_by(|a, b| a.energy.total_cmp(&b.energy))
        .map_or("none", |sheep| sheep.name.as_str());
    let count = sheep.iter().count();
    println!(
        "frame {}: {count} sheep, {:.0} grass, strongest: {strongest}",
        *frame, grass.0
    );
}
