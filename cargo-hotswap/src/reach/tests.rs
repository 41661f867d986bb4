//! References from made objects, and names of functions.

use std::collections::HashSet;
use std::sync::Arc;

use super::read::is_gathered;
use super::{
    Function, Graph, Index, NodeSet, References, Section, Seeds, function_of, function_path,
    is_main, node_of,
};

/// `defines a b; a>x b>a`: what an object defines for others, and its references.
fn object(text: &str) -> References {
    let (defines, edges) = text.split_once(';').expect("there is a ;");
    let defines: Vec<&str> = defines.split_whitespace().collect();
    let edges = edges
        .split_whitespace()
        .filter_map(|edge| edge.split_once('>'));
    let edges: Vec<(&str, &str)> = edges.collect();
    let needs = edges.iter().map(|(_, to)| *to);
    let needs = needs.filter(|to| !defines.contains(to) && !to.starts_with('.'));
    let is_static = |name: &&&str| name.to_uppercase() == **name;
    let statics = defines.iter().filter(is_static);
    let functions = defines.iter().filter(|name| !is_static(name));
    let functions = functions.map(|&name| Function {
        name: name.to_owned(),
        named: node_of(name),
        node: node_of(name),
        section: node_of(&format!(".{name}")),
    });
    let mut nodes: Vec<_> = defines.iter().map(|name| node_of(name)).collect();
    nodes.sort_unstable();
    References {
        functions: functions.collect(),
        statics: statics
            .map(|&name| (name.to_owned(), node_of(name)))
            .collect(),
        defines: nodes,
        needs: needs.map(node_of).collect(),
        edges: edges
            .iter()
            .map(|(from, to)| (node_of(from), node_of(to)))
            .collect(),
        ..References::default()
    }
}

/// All functions of an object are meant.
fn all_of(object: Arc<References>) -> (Arc<References>, NodeSet) {
    let sections = object.functions.iter().map(|function| function.section);
    let sections = sections.collect();
    (object, sections)
}

fn graph(objects: impl IntoIterator<Item = References>) -> Graph {
    Graph::of(objects.into_iter().map(|object| all_of(Arc::new(object))))
}

#[test]
fn follows_references_across_objects_and_in_circles() {
    let graph = graph(
        [
            "a b STATIC; a>.1 .1>STATIC STATIC>.2 .2>c b>a",
            "c d; c>d d>c",
        ]
        .map(object),
    );
    assert_eq!(graph.functions().count(), 4);
    for (except, expected) in [
        (vec![], vec!["a", "c", "d"]),
        (vec!["STATIC"], vec!["a"]),
        (vec!["OTHER"], vec!["a", "c", "d"]),
    ] {
        let except = except.into_iter().collect();
        let reached = graph.reached(["a"], &except, graph.functions());
        assert_eq!(reached.into_iter().collect::<Vec<_>>(), expected);
    }
    let some = graph.reached(["a"], &HashSet::new(), ["b", "d", "nothing"]);
    assert_eq!(some.into_iter().collect::<Vec<_>>(), ["d"]);
}

#[test]
fn follows_references_by_section_and_by_inlined_code() {
    let first = object("a b c; a>.a .a>.b c>.c .c>d");
    let inlined = [("b", "x"), ("b", "c"), ("x", "e")];
    let inlined = inlined.map(|(from, to)| (from.to_owned(), to.to_owned()));
    let objects = [first, object("d e f;")].map(Arc::new);
    let graph = Graph::of(objects.iter().map(|object| all_of(Arc::clone(object))));
    let reached = |graph: &Graph| {
        let reached = graph.reached(["a"], &HashSet::new(), graph.functions());
        reached.into_iter().collect::<Vec<_>>().concat()
    };
    assert_eq!(reached(&graph), "ab");
    objects[0].inlined.get_or_init(|| inlined.into());
    assert_eq!(reached(&graph), "abcde");
    // It has no code of its own.
    let inlined: Vec<&str> = graph.inlined_functions().collect();
    assert_eq!(inlined, ["x", "c", "e"]);
    // What is within `b`, which is not meant, is as it was.
    let mut all = objects.iter().map(|object| all_of(Arc::clone(object)));
    let (first, mut meant) = all.next().unwrap();
    let b = first.functions.iter().find(|function| function.name == "b");
    meant.remove(&b.unwrap().section);
    let part = Graph::of(std::iter::once((first, meant)).chain(all));
    let inlined: Vec<&str> = part.inlined_functions().collect();
    assert_eq!(inlined, ["e"]);
    for (root, expected) in [("a", vec!["x"]), ("c", vec![])] {
        let reached = graph.reached([root], &HashSet::new(), ["x", "y"]);
        assert_eq!(reached.into_iter().collect::<Vec<_>>(), expected);
    }
}

/// An object of sections: `f=.f:1` says that it defines `f` in the section `.f` with this digest, `.f>g`
/// that this section refers to `g`. What begins with a small letter is seen by others; what has none is a
/// static.
fn sections(digest: u128, text: &str) -> References {
    let node = |name: &str| match name.starts_with(|first: char| first.is_ascii_lowercase()) {
        true => node_of(name),
        false => node_of(&format!("{digest}{name}")),
    };
    let mut object = References::default();
    let mut edges = Vec::new();
    for part in text.split_whitespace() {
        if let Some((name, section)) = part.split_once('=') {
            let (section, content) = section.split_once(':').expect("there is a :");
            edges.push((node(name), node(section)));
            if name.starts_with(|first: char| first.is_ascii_lowercase()) {
                object.defines.push(node(name));
            }
            object.functions.push(Function {
                name: name.to_owned(),
                named: node_of(name),
                node: node(name),
                section: node(section),
            });
            if name == name.to_uppercase() {
                object.statics.push((name.to_owned(), node(name)));
            }
            object.sections.push(Section {
                index: object.sections.len(),
                node: node(section),
                digest: Some(content.parse().expect("a number")),
            });
        } else if let Some((from, to)) = part.split_once('>') {
            edges.push((node(from), node(to)));
        } else if let Some(section) = part.strip_prefix('!') {
            object.always.push(node(section));
        } else {
            object.own.push(node(part));
        }
    }
    object.needs = edges.iter().map(|(_, to)| *to).collect();
    object.defines.sort_unstable();
    object.sections.sort_unstable_by_key(|section| section.node);
    object.edges = edges.into_iter().collect();
    object
}

/// The parts that an image needs, as text: objects with their sections by index.
fn parts(index: &Index, seeds: &Seeds<'_>, hidden: &[&str]) -> String {
    let hidden: Vec<_> = hidden.iter().map(|name| node_of(name)).collect();
    let parts = index.needed(seeds, |node| !hidden.contains(&node)).parts;
    let part = |(digest, sections): (&u128, &std::collections::BTreeSet<usize>)| {
        let sections: Vec<String> = sections.iter().map(ToString::to_string).collect();
        format!("{digest}: {}", sections.join(" "))
    };
    parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// Objects that changed, what the host has, what shall be there besides, whether objects come along as a
/// whole; and the parts.
type Case<'a> = (&'a [u128], &'a HashSet<u64>, &'a [&'a str], bool, &'a str);

#[test]
fn an_image_needs_what_leads_to_a_change() {
    let objects = [
        // Of 0 `leaf` is changed, and what is beside it is not; nor is the constant.
        "leaf=.leaf:10 still=.still:20 .leaf>.const .const>host Const=.const:21",
        // `caller` leads to it, `beside` does not; it stands under a name that nobody else sees.
        "caller=.caller:30 beside=.beside:31 Local=.local:32 .caller>.local .local>leaf .beside>still",
        "top=.top:40 .top>caller other=.other:41 .other>beside",
        // What the host keeps to itself comes along with what it needs; and what unwinding needs.
        "far=.far:50 .far>leaf .far>hidden",
        "hidden=.hidden:60 .hidden>deeper more=.more:61 Personality=.personality:62 !.personality",
        "deeper=.deeper:70 deepest=.deepest:71 .deeper>deepest",
        // No member.
        "stranger=.stranger:80 .stranger>leaf",
    ];
    let mut index = Index::default();
    for (digest, text) in (0_u128..).zip(objects) {
        index.add(digest, sections(digest, text));
    }
    let hosts: HashSet<u64> = (20..90).collect();
    let all: HashSet<u64> = (10..90).collect();
    let members = [0, 1, 2, 3, 4, 5];
    let table: &[Case<'_>] = &[
        (&[], &hosts, &[], false, ""),
        (&[0], &all, &[], false, ""),
        (
            &[0],
            &hosts,
            &[],
            false,
            "0: 0 2, 1: 0 2, 2: 0, 3: 0, 4: 0 2, 5: 0",
        ),
        (&[0], &all, &["still"], false, "0: 1, 1: 1, 2: 1"),
        (&[2], &hosts, &["top"], false, "2: 0"),
        (&[5], &all, &["deeper"], false, "3: 0, 4: 0 2, 5: 0"),
        (
            &[0],
            &hosts,
            &[],
            true,
            "0: 0 1 2, 1: 0 1 2, 2: 0 1, 3: 0, 4: 0 1 2, 5: 0 1",
        ),
    ];
    for (changed, known, also, whole, expected) in table {
        let seeds = Seeds {
            members: members.to_vec(),
            changed: changed.to_vec(),
            known: Some(known),
            also: also.iter().copied().collect(),
            whole: *whole,
            ..Seeds::default()
        };
        let found = parts(&index, &seeds, &["hidden", "deeper"]);
        assert_eq!(found, *expected, "{changed:?} {also:?}");
    }
    // What is forgotten leads nowhere.
    index.forget(1);
    let seeds = Seeds {
        members: members.to_vec(),
        changed: vec![0],
        known: Some(&hosts),
        ..Seeds::default()
    };
    let found = parts(&index, &seeds, &["hidden", "deeper"]);
    assert_eq!(found, "0: 0 2, 3: 0, 4: 0 2, 5: 0");
}

#[test]
fn what_calls_an_entry_stays_out_of_a_file() {
    let mut index = Index::default();
    let entered = "leaf=.leaf:10 body=.body:21 calls=.calls:22 .body>leaf .calls>body";
    let mut entered = sections(0, entered);
    entered.bodies.insert(node_of("0.body"));
    index.add(0, entered);
    index.add(
        1,
        sections(1, "far=.far:30 near=.near:31 .far>calls .near>leaf"),
    );
    let hosts: HashSet<u64> = (20..40).collect();
    for (by_table, expected) in [(false, "0: 0 1 2, 1: 0 1"), (true, "0: 0 1, 1: 1")] {
        let seeds = Seeds {
            members: vec![0, 1],
            changed: vec![0],
            known: Some(&hosts),
            by_table,
            ..Seeds::default()
        };
        assert_eq!(parts(&index, &seeds, &[]), expected);
    }
}

#[test]
fn an_image_needs_what_leads_to_a_static_elsewhere() {
    let mut index = Index::default();
    for (digest, text) in [
        (
            0,
            "STATE=.state:20 reads=.reads:21 other=.other:22 .reads>STATE",
        ),
        (1, "far=.far:30 .far>reads"),
    ] {
        index.add(digest, sections(digest, text));
    }
    let hosts: HashSet<u64> = (20..40).collect();
    let seeds = Seeds {
        members: vec![0, 1],
        known: Some(&hosts),
        elsewhere: ["STATE"].into(),
        ..Seeds::default()
    };
    assert_eq!(parts(&index, &seeds, &[]), "0: 0 1, 1: 0");
}

/// An object of sections, of which those with names in capitals hold read-only statics.
fn with_constants(digest: u128, text: &str) -> References {
    let mut object = sections(digest, text);
    for (name, node) in std::mem::take(&mut object.statics) {
        let section = object.edges.of(node).next().expect("it has a section");
        let names = object.constants.entry(section).or_default();
        names.push(name);
    }
    object
}

#[test]
fn a_read_only_static_is_one_for_host_and_image() {
    let text = "edited=.edited:10 CONST=.const:20 .edited>CONST .const>Needed Needed=.needed:21 \
                still=.still:22 .still>.const";
    let changed = |near: &[&str], hidden: &[&str]| {
        let mut index = Index::default();
        let mut object = with_constants(0, text);
        let section = object.constants.keys().copied().next();
        let near = near.iter().map(|name| match *name {
            ".const" => section.expect("there is one"),
            other => node_of(other),
        });
        object.near = near.collect();
        index.add(0, object);
        index.add(1, sections(1, "top=.top:30 .top>still other=.other:31"));
        let hosts: HashSet<u64> = (20..40).collect();
        let seeds = Seeds {
            members: vec![0, 1],
            changed: vec![0],
            known: Some(&hosts),
            ..Seeds::default()
        };
        let hidden: Vec<_> = hidden.iter().map(|name| node_of(name)).collect();
        let needed = index.needed(&seeds, |node| !hidden.contains(&node));
        let names: Vec<String> = needed.constants.into_iter().collect();
        let hollow: Vec<_> = needed.hosts.values().flatten().copied().collect();
        (needed.parts, names.join(" "), hollow)
    };
    // The host's, without what it needs.
    let (found, names, hollow) = changed(&[], &[]);
    assert_eq!((names.as_str(), hollow.as_slice()), ("CONST", &[1][..]));
    assert_eq!(found[&0].iter().copied().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(found.len(), 1);
    // Data that is here knows it by its distance, or the host keeps it to itself: all who see it follow.
    for (near, hidden) in [
        (&[".const"][..], &[][..]),
        (&["CONST"], &[]),
        (&[], &["CONST"]),
    ] {
        let (found, names, hollow) = changed(near, hidden);
        assert_eq!(
            (names.as_str(), hollow.len()),
            ("", 0),
            "{near:?} {hidden:?}"
        );
        assert_eq!(found[&0].iter().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(found[&1].iter().copied().collect::<Vec<_>>(), [0]);
    }
}

#[test]
fn an_image_has_what_each_version_has_of_its_own() {
    let mut index = Index::default();
    // `body` is never the host's, and of what two objects define one has its own.
    for (digest, text) in [
        (0, "leaf=.leaf:10 .leaf>body .leaf>twice twice=.twice:20"),
        (
            1,
            "body=.body:30 body .body>Descriptor Descriptor=.descriptor:31 twice=.twice:20",
        ),
    ] {
        index.add(digest, sections(digest, text));
    }
    let gathered = References {
        gathered: vec![node_of("start")],
        ..sections(2, "slice=.slice:40 apart=.apart:41")
    };
    index.add(2, gathered);
    index.add(
        3,
        sections(3, "reads=.reads:50 still=.still:51 .reads>start"),
    );
    let hosts: HashSet<u64> = (20..90).collect();
    let seeds = Seeds {
        members: vec![0, 1, 2, 3],
        changed: vec![0],
        known: Some(&hosts),
        ..Seeds::default()
    };
    assert_eq!(
        parts(&index, &seeds, &["twice"]),
        "0: 0 1, 1: 0 1, 2: 0 1, 3: 0"
    );
}

#[test]
fn knows_gathered_sections() {
    for (name, gathered) in [
        ("linkme_SLICE", true),
        ("__sancov", true),
        (".text.f", false),
        (".init_array", false),
        ("hotswap_entries", false),
        ("", false),
    ] {
        assert_eq!(is_gathered(name), gathered, "{name}");
    }
}

#[test]
fn names_functions() {
    let body = "_RNCNvCs5_3app4main0B3_";
    assert_eq!(function_path(body), "app::main");
    for (canonical, expected) in [
        ("app::f", "app::f"),
        (
            "app::f::<app::A, fn() -> app::B>::{closure#0}::{closure#1}",
            "app::f",
        ),
        ("app::f::inner::<u8>", "app::f::inner"),
        ("<app::W<app::A>>::m::<u8>", "<app::W<app::A>>::m"),
        (
            "<app::W as app::T<fn() -> u8>>::m",
            "<app::W as app::T<fn() -> u8>>::m",
        ),
        (
            "core::map::fold::<&u8, app::f::{closure#0}>::{closure#0}",
            "core::map::fold",
        ),
        (
            "<app::f::{closure#0} as core::FnOnce<()>>::call_once",
            "<app::f::{closure#0} as core::FnOnce<()>>::call_once",
        ),
        ("", ""),
        ("<", "<"),
    ] {
        assert_eq!(function_of(canonical), expected, "{canonical}");
    }
    assert!(is_main("_RNvCs5_3app4main") && !is_main("_RNvNtCs5_3app1m4main"));
}
