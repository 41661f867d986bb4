//! References from made objects, and names of functions.

use std::collections::HashSet;
use std::sync::Arc;

use super::{
    Function, Graph, Index, References, function_of, function_path, is_gathered, is_main, node_of,
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

fn graph(objects: impl IntoIterator<Item = References>) -> Graph {
    Graph::of(objects.into_iter().map(Arc::new))
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
    let graph = Graph::of(objects.iter().map(Arc::clone));
    let reached = |graph: &Graph| {
        let reached = graph.reached(["a"], &HashSet::new(), graph.functions());
        reached.into_iter().collect::<Vec<_>>().concat()
    };
    assert_eq!(reached(&graph), "ab");
    objects[0].inlined.get_or_init(|| inlined.into());
    assert_eq!(reached(&graph), "abcde");
}

#[test]
fn an_image_needs_what_leads_to_a_change() {
    let objects = [
        // 0 is changed; 1 leads to it from `caller`, which 2 calls; 3 calls what is beside that.
        "leaf; leaf>host",
        "caller beside; caller>.1 .1>leaf beside>hidden",
        "top; top>caller",
        "other; other>beside",
        // 4 has what the host keeps to itself; 5 is for 4, and exported.
        "hidden; hidden>shown",
        "shown; shown>host",
        // 6 leads to the change and is no member.
        "stranger; stranger>leaf",
    ];
    let table: &[(&[u128], &[u128])] = &[
        (&[], &[]),
        (&[0], &[0, 1, 2, 4]),
        (&[2], &[2]),
        (&[4], &[1, 3, 4]),
        (&[5], &[1, 3, 4, 5]),
    ];
    let mut index = Index::default();
    for (digest, text) in (0_u128..).zip(objects) {
        index.add(digest, object(text));
    }
    let exported = |node| node != node_of("hidden");
    for (changed, expected) in table {
        let found = index.needed(&[0, 1, 2, 3, 4, 5], changed, exported);
        assert_eq!(
            found,
            expected.iter().copied().collect::<HashSet<_>>(),
            "{changed:?}"
        );
    }
    // What is forgotten leads nowhere.
    index.forget(1);
    let found = index.needed(&[0, 2, 3, 4, 5], &[0], exported);
    assert_eq!(found, HashSet::from([0]));
    // What is registered by its section always comes along.
    index.add(
        7,
        References {
            gathered: true,
            ..object("slice;")
        },
    );
    let found = index.needed(&[0, 2, 7], &[0], exported);
    assert_eq!(found, HashSet::from([0, 7]));
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
