//! Comparisons of graphs made by hand, with no compiler in the loop.

use std::collections::HashMap;
use std::sync::Arc;

use super::compare;
use crate::graph::builder::Builder;
use crate::graph::{Item, Kind, NONE, ObjectTypes, Role, Slot, Vtable};
use crate::program::{EntryBody, Program, Root};
use crate::{Cause, Finding, Verdict};

/// Types of one object, written down as text: `struct a::T 8 { x: u32 @0, next: *a::T @8 }` and so on, one a line.
struct Maker {
    builder: Builder,
    nodes: HashMap<String, u32>,
}

impl Maker {
    fn name(&mut self, name: &str) -> u32 {
        self.builder.names.push(name)
    }

    /// The node of a type's name; `*T` is made when first named, everything else has to be defined.
    fn node(&mut self, name: &str) -> u32 {
        if let Some(node) = self.nodes.get(name) {
            return *node;
        }
        let (path, kind) = match name.strip_prefix('*') {
            Some(_) => ("", Kind::Pointer),
            None if name.starts_with("dyn ") => (name, Kind::Struct),
            None if name.contains("::") => (name, Kind::Struct),
            None => (name, Kind::Base),
        };
        let plain_end = path.find(['<', ' ']).unwrap_or(path.len());
        let mut scope = NONE;
        let mut rest = path;
        while let Some(at) = rest[..plain_end - (path.len() - rest.len())].find("::") {
            if path.starts_with("dyn ") {
                break;
            }
            let part = self.name(&rest[..at]);
            scope = self.builder.scope(scope, part);
            rest = &rest[at + 2..];
        }
        let last = self.name(rest);
        let node = self.builder.node(kind, scope, last);
        self.nodes.insert(name.to_owned(), node);
        if let Some(pointee) = name.strip_prefix('*') {
            let target = self.node(pointee);
            self.item(node, Role::Pointee, "", 0, target);
        }
        node
    }

    fn item(&mut self, owner: u32, role: Role, name: &str, value: i128, target: u32) {
        let name = self.name(name);
        self.builder.item(
            owner,
            Item {
                role,
                name,
                value,
                target,
            },
        );
    }

    /// `field: type @offset`, separated by commas; `<T> type` is a type argument.
    fn fields(&mut self, owner: u32, fields: &str) {
        for (position, field) in fields
            .split(',')
            .map(str::trim)
            .filter(|field| !field.is_empty())
            .enumerate()
        {
            if let Some(argument) = field.strip_prefix("<T> ") {
                let target = self.node(argument);
                self.item(owner, Role::Argument, "T", position as i128, target);
                continue;
            }
            let (name, rest) = field.split_once(": ").expect("a field has a type");
            let (target, offset) = rest.split_once(" @").expect("a field has an offset");
            let target = self.node(target);
            self.item(
                owner,
                Role::Field,
                name,
                offset.parse().expect("a number"),
                target,
            );
        }
    }

    fn line(&mut self, line: &str) {
        let (what, rest) = line.split_once(' ').expect("a line has a kind");
        let (head, body) = rest.split_once('{').unwrap_or((rest, ""));
        let (head, body) = (head.trim(), body.trim_end_matches('}'));
        match what {
            "struct" => {
                let (name, size) = head.rsplit_once(' ').expect("a struct has a size");
                let node = self.node(name);
                self.builder.size(node, size.parse().ok(), 8);
                self.fields(node, body);
            }
            "declare" => {
                let node = self.node(head);
                self.builder.declare(node);
            }
            "static" => {
                let (symbol, target) = head.split_once(": ").expect("a static has a type");
                let (symbol, node) = (self.name(symbol), self.node(target));
                self.builder.variable(symbol, node);
            }
            "fn" => {
                let (symbol, parameters) = head.split_once('(').expect("a function has parameters");
                let symbol = self.name(symbol);
                let node = self.builder.node(Kind::Function, NONE, 0);
                self.item(node, Role::Result, "", 0, NONE);
                for (position, parameter) in
                    parameters.trim_end_matches(')').split(", ").enumerate()
                {
                    let target = self.node(parameter);
                    self.item(node, Role::Parameter, "", position as i128, target);
                }
                self.builder.function(symbol, node);
            }
            "vtable" => {
                let (name, node) = (self.name(&format!("<{head}>::{{vtable}}")), NONE);
                let slots = body
                    .split(", ")
                    .map(|symbol| Slot::Function(self.builder.names.push(symbol)))
                    .collect();
                self.builder.vtables.push(Vtable { name, node, slots });
            }
            "identified" => {
                let node = self.node(head);
                self.builder.identified.push(node);
            }
            other => panic!("{other}"),
        }
    }
}

fn object(text: &str) -> Arc<ObjectTypes> {
    let mut maker = Maker {
        builder: Builder::new(),
        nodes: HashMap::new(),
    };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        maker.line(line);
    }
    Arc::new(maker.builder.finish())
}

/// A program of the objects that `---` separates.
fn program(text: &str) -> Program {
    Program::new(text.split("---").map(object), ["a".to_owned()])
}

fn entry(old_signature: &str, new_signature: &str) -> Root {
    let body = |signature: &str| EntryBody {
        symbol: "_RNCbody".to_owned(),
        signature: signature.to_owned(),
    };
    Root::Entry {
        path: "a::entry".to_owned(),
        old: body(old_signature),
        new: body(new_signature),
    }
}

fn state() -> Root {
    Root::Static {
        path: "a::STATE".to_owned(),
        old: "STATE".to_owned(),
        new: "STATE".to_owned(),
    }
}

fn summary(findings: &[Finding]) -> Vec<(Verdict, Cause, &str)> {
    findings
        .iter()
        .map(|finding| (finding.verdict, finding.cause, finding.subject.as_str()))
        .collect()
}

#[track_caller]
fn check(old: &str, new: &str, root: Root, expected: &[(Verdict, Cause, &str)]) -> Vec<Finding> {
    let findings = compare(&program(old), &program(new), &[root]);
    assert_eq!(summary(&findings), expected, "{findings:#?}");
    findings
}

const LIST: &str = "struct a::List 16 { value: u32 @0, next: *a::List @8 }";

#[test]
fn equal_programs_say_nothing() {
    let text = format!("{LIST}\nstatic STATE: a::List\nfn _RNCbody(*a::List)");
    check(&text, &text, state(), &[]);
    check(&text, &text, entry("f", "f"), &[]);
}

#[test]
fn a_change_in_a_cycle_is_found_once_with_its_path() {
    let changed = LIST.replace("u32", "u64");
    let findings = check(
        &format!("{LIST}\nstruct a::World 8 {{ list: *a::List @0 }}\nstatic STATE: a::World"),
        &format!("{changed}\nstruct a::World 8 {{ list: *a::List @0 }}\nstatic STATE: a::World"),
        state(),
        &[(Verdict::Refused, Cause::Layout, "a::List")],
    );
    assert_eq!(
        findings[0].differences,
        ["field `value`: type `u32`, now `u64`"]
    );
    assert_eq!(findings[0].reached[0].path.concat(), ".list*");
}

#[test]
fn what_grew_inside_is_the_cause_and_not_its_containers() {
    check(
        "struct a::In 8 { x: u32 @0 }\nstruct a::Out 16 { inner: a::In @0, y: u32 @8 }\nstatic STATE: a::Out",
        "struct a::In 16 { x: u32 @0, z: u64 @8 }\nstruct a::Out 24 { inner: a::In @0, y: u32 @16 }\nstatic STATE: a::Out",
        state(),
        &[(Verdict::Refused, Cause::Layout, "a::In")],
    );
}

#[test]
fn a_container_that_changed_by_itself_is_named_too() {
    check(
        "struct a::In 8 { x: u32 @0 }\nstruct a::Out 16 { inner: *a::In @0 }\nstatic STATE: a::Out",
        "struct a::In 16 { x: u32 @0, z: u64 @8 }\nstruct a::Out 32 { inner: *a::In @0 }\nstatic STATE: a::Out",
        state(),
        &[
            (Verdict::Refused, Cause::Layout, "a::In"),
            (Verdict::Refused, Cause::Layout, "a::Out"),
        ],
    );
}

#[test]
fn a_recursive_type_that_only_grew_is_its_own_cause() {
    check(
        "struct a::T 8 { next: *a::T @0 }\nstatic STATE: a::T",
        "struct a::T 16 { next: *a::T @0 }\nstatic STATE: a::T",
        state(),
        &[(Verdict::Refused, Cause::Layout, "a::T")],
    );
}

#[test]
fn a_changed_signature_keeps_its_callers() {
    let (old, new) = ("struct a::T 8 { x: u32 @0 }", "struct a::T 8 { x: u64 @0 }");
    let text = |types: &str| format!("{types}\nfn _RNCbody(*a::T)");
    check(
        &text(old),
        &text(new),
        entry("fn f(&T)", "fn f(&T, u8)"),
        &[
            (Verdict::Kept, Cause::Signature, "a::entry"),
            (Verdict::Safe, Cause::Unreached, "a::T"),
        ],
    );
    check(
        &text(old),
        &text(new),
        entry("fn f(&T)", "fn f(&T)"),
        &[(Verdict::Refused, Cause::Layout, "a::T")],
    );
}

#[test]
fn types_of_one_path_are_told_by_their_place() {
    // Two versions of one crate: the same path, two layouts.
    let text = |first: &str, second: &str| {
        format!(
            "struct a::T 8 {{ x: {first} @0 }}\nstatic STATE: a::T\n---\nstruct a::T 8 {{ x: {second} @0 }}\nstatic OTHER: a::T"
        )
    };
    check(
        &text("u8", "u16"),
        &text("u8", "u32"),
        state(),
        &[(Verdict::Safe, Cause::Unreached, "a::T")],
    );
    check(
        &text("u8", "u16"),
        &text("u32", "u16"),
        state(),
        &[(Verdict::Refused, Cause::Layout, "a::T")],
    );
}

#[test]
fn a_declaration_needs_a_definition() {
    let text = "declare a::T\nstruct a::World 8 { t: *a::T @0 }\nstatic STATE: a::World";
    check(
        text,
        text,
        state(),
        &[(Verdict::Refused, Cause::Opaque, "a::T")],
    );
    let defined = |field: &str| format!("{text}\n---\nstruct a::T 8 {{ x: {field} @0 }}");
    check(&defined("u8"), &defined("u8"), state(), &[]);
    check(
        &defined("u8"),
        &defined("u16"),
        state(),
        &[(Verdict::Refused, Cause::Layout, "a::T")],
    );
}

#[test]
fn a_declaration_with_two_definitions_is_refused() {
    let text = "declare a::T\nstruct a::World 8 { t: *a::T @0 }\nstatic STATE: a::World\n---\n\
                struct a::T 8 { x: u8 @0 }\n---\nstruct a::T 8 { x: u16 @0 }";
    check(
        text,
        text,
        state(),
        &[(Verdict::Refused, Cause::Opaque, "a::T")],
    );
}

#[test]
fn a_root_without_facts_is_refused() {
    check(
        "",
        "",
        state(),
        &[(Verdict::Refused, Cause::Unknown, "a::STATE")],
    );
}

#[test]
fn a_retyped_root_is_refused() {
    check(
        "static STATE: u32",
        "static STATE: u64",
        state(),
        &[(Verdict::Refused, Cause::Layout, "a::STATE")],
    );
}

#[test]
fn methods_of_a_trait_object_lead_to_their_arguments() {
    let text = |field: &str| {
        format!(
            "struct a::Event 8 {{ x: {field} @0 }}\nstruct a::World 16 {{ handler: *dyn a::Tr @0 }}\nstatic STATE: a::World\n\
             fn _RNvXone(*a::World, *a::Event)\nvtable a::Im as a::Tr {{_RNvXone}}"
        )
    };
    check(
        &text("u8"),
        &text("u16"),
        state(),
        &[(Verdict::Refused, Cause::Layout, "a::Event")],
    );
}

#[test]
fn the_receiver_of_a_method_does_not_cross() {
    let text = |field: &str| {
        format!(
            "struct a::Im 8 {{ x: {field} @0 }}\nstruct a::World 16 {{ handler: *dyn a::Tr @0 }}\nstatic STATE: a::World\n\
             fn _RNvXone(*a::Im, u8)\nvtable a::Im as a::Tr {{_RNvXone}}"
        )
    };
    check(
        &text("u8"),
        &text("u16"),
        state(),
        &[(Verdict::Safe, Cause::Unreached, "a::Im")],
    );
}

#[test]
fn moved_methods_are_refused_where_objects_cross() {
    let text = |slots: &str, rest: &str| format!("{rest}\nvtable a::Im as a::Tr {{{slots}}}");
    let crossing = "struct a::World 16 { handler: *dyn a::Tr @0 }\nstatic STATE: a::World";
    check(
        &text("_RNvXone, _RNvXtwo", crossing),
        &text("_RNvXtwo, _RNvXone", crossing),
        state(),
        &[(Verdict::Refused, Cause::TraitObject, "dyn a::Tr")],
    );
    check(
        &text("_RNvXone, _RNvXtwo", "static STATE: u8"),
        &text("_RNvXtwo, _RNvXone", "static STATE: u8"),
        state(),
        &[],
    );
}

#[test]
fn types_named_by_a_trait_object_cross_with_it() {
    let text = |field: &str| {
        format!(
            "struct a::Event 8 {{ x: {field} @0 }}\nstatic STATE: dyn core::ops::function::Fn<(&a::Event), Output=()>"
        )
    };
    check(
        &text("u8"),
        &text("u16"),
        state(),
        &[(Verdict::Refused, Cause::Layout, "a::Event")],
    );
}

#[test]
fn types_known_by_their_id_are_roots() {
    let text = |field: &str| {
        format!("struct a::T 8 {{ x: {field} @0 }}\nstatic STATE: u8\nidentified a::T")
    };
    check(
        &text("u8"),
        &text("u16"),
        state(),
        &[(Verdict::Refused, Cause::TypeId, "a::T")],
    );
}

#[test]
fn what_a_box_of_the_runtime_hides_does_not_count() {
    let text = |hidden: &str, output: &str| {
        format!(
            "struct a::Future 8 {{ x: {hidden} @0 }}\n\
             struct hotswap::boxed::Hidden<a::Future> 0 {{ <T> a::Future }}\n\
             struct hotswap::boxed::future::FutureBox<a::Future> 16 {{ <T> a::Future, <T> {output}, _hidden: hotswap::boxed::Hidden<a::Future> @0 }}\n\
             static STATE: hotswap::boxed::future::FutureBox<a::Future>"
        )
    };
    check(
        &text("u8", "u8"),
        &text("u64", "u8"),
        state(),
        &[(Verdict::Safe, Cause::Unreached, "a::Future")],
    );
    check(
        &text("u8", "u8"),
        &text("u8", "u16"),
        state(),
        &[(
            Verdict::Refused,
            Cause::Layout,
            "hotswap::boxed::future::FutureBox<_>",
        )],
    );
}

#[test]
fn fingerprints_do_not_depend_on_what_else_is_there() {
    let alone = program(&format!("{LIST}\nstatic STATE: *a::List"));
    let among = program(&format!(
        "static OTHER: *a::List\nstruct a::Other 8 {{ list: *a::List @0 }}\n---\nstruct a::More 4 {{ x: u8 @0 }}\n{LIST}\nstatic STATE: *a::List"
    ));
    let of = |program: &Program| {
        program
            .static_type("STATE")
            .expect("it is there")
            .fingerprint
    };
    assert_eq!(of(&alone), of(&among));
}

#[test]
fn a_signature_is_text_and_types() {
    let of = |field: &str, text: &str| {
        program(&format!(
            "struct a::T 8 {{ x: {field} @0 }}\nfn _RNCbody(*a::T)"
        ))
        .entry_signature("_RNCbody", text)
        .expect("the body is there")
    };
    assert_eq!(of("u8", "fn f(&T)"), of("u8", "fn f(&T)"));
    assert_ne!(of("u8", "fn f(&T)"), of("u8", "fn f<'a>(&'a T)"));
    assert_ne!(of("u8", "fn f(&T)"), of("u16", "fn f(&T)"));
    let missing = program("")
        .entry_signature("_RNCbody", "")
        .expect_err("nothing is there");
    assert!(missing.to_string().contains("`_RNCbody`"), "{missing}");
}
