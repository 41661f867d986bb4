//! Random values: what a migration makes of them is what a rewritten serde form of them reads as.

use std::collections::{BTreeMap, HashMap, VecDeque};

use hotswap_state::changed;
use proptest::collection::{btree_map, hash_map, vec, vec_deque};
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Derives what all types here have.
macro_rules! types {
    ($($item:item)+) => {$(
        #[derive(hotswap::Migrate, Serialize, Deserialize, Debug, Clone, PartialEq, Default)]
        $item
    )+};
}

mod v1 {
    use super::*;

    types! {
        pub struct World {
            pub round: u64,
            pub title: String,
            pub removed: Vec<u16>,
            pub players: Vec<Player>,
            pub by_name: HashMap<String, Player>,
            pub by_number: BTreeMap<u32, Vec<Event>>,
            pub queue: VecDeque<Event>,
            pub pair: (u8, Option<Box<Player>>, Place),
            pub triple: [Place; 3],
            pub tree: Tree,
        }
        pub struct Player {
            pub name: String,
            pub hp: u32,
            pub place: Place,
            pub flag: bool,
        }
        pub struct Place {
            pub x: i16,
            pub y: i16,
            pub id: u64,
        }
        pub struct Tree {
            pub number: u8,
            pub children: Vec<Tree>,
        }
        pub enum Event {
            #[default]
            Nothing,
            Says { who: String, what: String },
            Moves(Place, u32),
        }
    }
}

mod v2 {
    use super::*;

    types! {
        pub struct World {
            pub queue: VecDeque<Event>,
            pub tree: Tree,
            #[migrate(was = "title")]
            pub name: String,
            pub triple: [Place; 3],
            pub round: u64,
            pub pair: (u8, Option<Box<Player>>, Place),
            #[migrate(default = vec![1, 2, 3])]
            pub fresh: Vec<u8>,
            pub players: Vec<Player>,
            pub by_number: BTreeMap<u32, Vec<Event>>,
            pub by_name: HashMap<String, Player>,
        }
        pub struct Player {
            pub flag: bool,
            pub place: Place,
            #[migrate(was = "hp: u32", back = super::narrow)]
            pub hp: u64,
            pub name: String,
        }
        pub struct Place {
            pub id: u64,
            pub y: i16,
            #[migrate(default = -1)]
            pub z: i16,
            pub x: i16,
        }
        pub struct Tree {
            pub children: Vec<Tree>,
            #[migrate(default = "leaf".to_owned())]
            pub kind: String,
            pub number: u8,
        }
        pub enum Event {
            Moves(Place, u32),
            Speaks { what: String, who: String, loud: bool },
            #[default]
            Nothing,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "hooks take references")]
fn narrow(hp: &u64) -> u32 {
    u32::try_from(*hp).unwrap()
}

const RENAMES: &[(&str, &str)] = &[("World.name", "title"), ("Event.Speaks", "Says")];
const BACK: &[(&str, &str)] = &[("World.title", "name"), ("Event.Says", "Speaks")];

fn rename(object: &mut Value, old: &str, new: &str) {
    let object = object.as_object_mut().unwrap();
    let value = object.remove(old).unwrap();
    object.insert(new.to_owned(), value);
}

/// The same edits, on the serde form.
mod reference {
    use super::*;

    pub fn world(world: &mut Value) {
        rename(world, "title", "name");
        world.as_object_mut().unwrap().remove("removed");
        world["fresh"] = json!([1, 2, 3]);
        each(&mut world["players"], player);
        each(&mut world["by_name"], player);
        each(&mut world["by_number"], |events| each(events, event));
        each(&mut world["queue"], event);
        if !world["pair"][1].is_null() {
            player(&mut world["pair"][1]);
        }
        place(&mut world["pair"][2]);
        each(&mut world["triple"], place);
        tree(&mut world["tree"]);
    }

    fn each(values: &mut Value, change: impl Fn(&mut Value)) {
        match values {
            Value::Array(values) => values.iter_mut().for_each(change),
            Value::Object(values) => values.values_mut().for_each(change),
            other => panic!("{other}"),
        }
    }

    fn player(player: &mut Value) {
        place(&mut player["place"]);
    }

    fn place(place: &mut Value) {
        place["z"] = json!(-1);
    }

    fn tree(value: &mut Value) {
        value["kind"] = json!("leaf");
        each(&mut value["children"], tree);
    }

    fn event(event: &mut Value) {
        if event.get("Says").is_some() {
            rename(event, "Says", "Speaks");
            event["Speaks"]["loud"] = json!(false);
        } else if let Some(moves) = event.get_mut("Moves") {
            place(&mut moves[0]);
        }
    }
}

fn place() -> impl Strategy<Value = v1::Place> {
    any::<(i16, i16, u64)>().prop_map(|(x, y, id)| v1::Place { x, y, id })
}

fn text() -> impl Strategy<Value = String> {
    "[a-zäß ]{0,20}"
}

fn player() -> impl Strategy<Value = v1::Player> {
    let player = (text(), any::<u32>(), place(), any::<bool>());
    player.prop_map(|(name, hp, place, flag)| v1::Player {
        name,
        hp,
        place,
        flag,
    })
}

fn event() -> impl Strategy<Value = v1::Event> {
    prop_oneof![
        Just(v1::Event::Nothing),
        (text(), text()).prop_map(|(who, what)| v1::Event::Says { who, what }),
        (place(), any::<u32>()).prop_map(|(place, count)| v1::Event::Moves(place, count)),
    ]
}

fn tree() -> impl Strategy<Value = v1::Tree> {
    let leaf = any::<u8>().prop_map(|number| v1::Tree {
        number,
        children: Vec::new(),
    });
    leaf.prop_recursive(4, 30, 4, |inner| {
        (any::<u8>(), vec(inner, 0..4)).prop_map(|(number, children)| v1::Tree { number, children })
    })
}

fn world() -> impl Strategy<Value = v1::World> {
    let plain = (any::<u64>(), text(), vec(any::<u16>(), 0..9), tree());
    let players = (vec(player(), 0..9), hash_map(text(), player(), 0..9));
    let events = (
        btree_map(any::<u32>(), vec(event(), 0..4), 0..30),
        vec_deque(event(), 0..9),
    );
    let pair = (
        any::<u8>(),
        option::of(player().prop_map(Box::new)),
        place(),
    );
    let triple = [place(), place(), place()];
    (plain, players, events, pair, triple).prop_map(|(plain, players, events, pair, triple)| {
        let ((round, title, removed, tree), (players, by_name)) = (plain, players);
        let (by_number, queue) = events;
        v1::World {
            round,
            title,
            removed,
            players,
            by_name,
            by_number,
            queue,
            pair,
            triple,
            tree,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn as_serde_would_have_it(world in world()) {
        let mut expected = serde_json::to_value(&world).unwrap();
        reference::world(&mut expected);
        let new: v2::World = changed(world.clone(), RENAMES);
        prop_assert_eq!(&new, &serde_json::from_value::<v2::World>(expected).unwrap());

        let back: v1::World = changed(new, BACK);
        let expected = v1::World { removed: Vec::new(), ..world };
        prop_assert_eq!(back, expected);
    }
}
