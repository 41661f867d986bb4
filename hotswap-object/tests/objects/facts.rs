//! What is read from objects, and what is exposed or dropped.

use std::collections::{HashMap, HashSet};

use hotswap_object::{Bindings, ObjectError, Pointee, Scope, Storage, expose, inspect, rewrite};
use object::elf;
use object::read::elf::ElfFile64;
use object::read::{Object as _, ObjectSection as _};
use object::write::{Object, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, SectionFlags, SectionKind, SymbolKind, SymbolScope,
};

use crate::made::{CODE, LEA, Made, bind, host, relocations};

#[test]
fn foreign_files_are_told_apart() {
    assert!(matches!(
        inspect(b"BC\xc0\xde1234"),
        Err(ObjectError::Bitcode)
    ));
    assert!(matches!(
        inspect(b"\xde\xc0\x17\x0b1234"),
        Err(ObjectError::Bitcode)
    ));
    assert!(matches!(
        inspect(b"not an object"),
        Err(ObjectError::Unsupported(_))
    ));
    let other = Object::new(BinaryFormat::Elf, Architecture::Aarch64, Endianness::Little);
    assert!(matches!(
        inspect(&other.write().unwrap()),
        Err(ObjectError::Unsupported(_))
    ));
}

#[test]
fn truncated_objects_are_errors() {
    let mut made = Made::new();
    let data = made.section(".data.X", SectionKind::Data, &[1; 8]);
    let symbol = made.data("_RNvC1a1X", SymbolScope::Linkage, data, (0, 8));
    let text = made.text(CODE);
    made.relocate(text, LEA, symbol, elf::R_X86_64_PC32, -4);
    let bytes = made.bytes();
    let bindings = bind(&[("_RNvC1a1X", host("_RNvC1a1X"))]);
    for length in 0..bytes.len() {
        // None of these may panic; some prefixes are complete objects.
        let _ = inspect(&bytes[..length]);
        let _ = expose(&bytes[..length]);
        let _ = rewrite(&bytes[..length], &bindings);
    }
    for at in 0..bytes.len() {
        for value in [0, 0x7f, 0xff] {
            let mut broken = bytes.clone();
            broken[at] = value;
            let _ = inspect(&broken);
            let _ = expose(&broken);
            let _ = rewrite(&broken, &bindings);
        }
    }
}

#[test]
fn statics_are_exposed_and_nothing_else() {
    let mut made = Made::new();
    let data = made.section(".data.X", SectionKind::Data, &[1; 8]);
    made.data("_RNvC1a1X", SymbolScope::Compilation, data, (0, 8));
    let hidden = made.section(".bss.Y", SectionKind::UninitializedData, &[0; 8]);
    made.data("_RNvC1a1Y", SymbolScope::Linkage, hidden, (0, 8));
    let constant = made.section(".rodata.Z", SectionKind::ReadOnlyData, &[1; 8]);
    made.data("_RNvC1a1Z", SymbolScope::Linkage, constant, (0, 8));
    let private = made.section(".data.rel.ro.W", SectionKind::ReadOnlyDataWithRel, &[1; 8]);
    made.data("_RNvC1a1W", SymbolScope::Compilation, private, (0, 8));
    let split = made.section(".rodata.V.0", SectionKind::ReadOnlyData, &[1; 8]);
    made.data("_RNvC1a1V.0", SymbolScope::Linkage, split, (0, 8));
    let unnamed = made.section(".rodata.anon", SectionKind::ReadOnlyData, &[1; 8]);
    made.data("anon.1.2", SymbolScope::Linkage, unnamed, (0, 8));
    let merged = made.section(".rodata.cst8", SectionKind::ReadOnlyString, &[1; 8]);
    made.data("_RNvC1a1M", SymbolScope::Compilation, merged, (0, 8));
    let collected = made.section("linkme_X", SectionKind::ReadOnlyData, &[1; 8]);
    made.data("_RNvC1a1E", SymbolScope::Compilation, collected, (0, 8));
    let nameless = made.section(".data..Lanon.1", SectionKind::Data, &[1; 8]);
    made.data(".Lanon.1", SymbolScope::Compilation, nameless, (0, 8));
    made.symbol(
        "_RNvC1b1U",
        SymbolKind::Unknown,
        SymbolScope::Linkage,
        SymbolSection::Undefined,
        (0, 0),
    );
    let exposed = expose(&made.bytes()).unwrap().unwrap();
    let facts = inspect(&exposed).unwrap();
    let scopes: HashMap<&str, Vec<Scope>> =
        facts
            .symbols
            .iter()
            .fold(HashMap::new(), |mut scopes, symbol| {
                scopes
                    .entry(symbol.name.as_str())
                    .or_default()
                    .push(symbol.scope);
                scopes
            });
    assert_eq!(scopes["_RNvC1a1X"], [Scope::Local, Scope::Default]);
    assert_eq!(scopes["_RNvC1a1Y"], [Scope::Default]);
    assert_eq!(scopes["_RNvC1a1Z"], [Scope::Default]);
    assert_eq!(scopes["_RNvC1a1W"], [Scope::Local, Scope::Default]);
    assert_eq!(scopes["_RNvC1a1V.0"], [Scope::Hidden]);
    assert_eq!(scopes["anon.1.2"], [Scope::Hidden]);
    assert_eq!(scopes["_RNvC1a1M"], [Scope::Local]);
    assert_eq!(scopes["_RNvC1a1E"], [Scope::Local]);
    assert_eq!(scopes[".Lanon.1"], [Scope::Local]);
    let statics: Vec<&str> = facts
        .statics
        .iter()
        .map(|facts| facts.symbol.as_str())
        .collect();
    assert_eq!(statics.len(), 2, "{statics:?}");
    assert!(expose(&exposed).unwrap().is_none());
}

#[test]
fn descriptions_are_read_with_the_static_that_holds_them() {
    let text = b"xtype A struct\npath a::A\n";
    let schema = |length: u64, kind| {
        let mut made = Made::new();
        let texts = made.section(".rodata.text", SectionKind::ReadOnlyData, text);
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&length.to_le_bytes());
        let schemas = made.section("hotswap_schemas", SectionKind::Data, &bytes);
        let name = "_RNvNvXC1aNtB2_1AC1m6schema16___HOTSWAP_SCHEMA";
        made.data(name, SymbolScope::Compilation, schemas, (16, 16));
        let target = made.0.section_symbol(texts);
        made.relocate(schemas, 16, target, kind, 1);
        inspect(&made.bytes())
    };
    let facts = schema(text.len() as u64 - 1, elf::R_X86_64_64).unwrap();
    assert!(facts.statics.is_empty(), "each version has its own");
    let texts: Vec<&str> = facts.schemas.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["type A struct\npath a::A\n"]);
    // Longer than the text, and a pointer of another kind.
    for (length, kind) in [
        (text.len() as u64, elf::R_X86_64_64),
        (4, elf::R_X86_64_PC32),
    ] {
        let error = schema(length, kind).unwrap_err().to_string();
        assert!(error.contains("__HOTSWAP_SCHEMA is damaged"), "{error}");
    }
}

#[test]
fn the_description_of_a_function_tells_which() {
    let text = b"code-change a::f\n";
    let mut made = Made::new();
    let texts = made.section(".rodata.text", SectionKind::ReadOnlyData, text);
    let mut bytes = [0; 48];
    for start in [8, 32] {
        bytes[start..start + 8].copy_from_slice(&(text.len() as u64).to_le_bytes());
    }
    let schemas = made.section("hotswap_schemas", SectionKind::Data, &bytes);
    let code = made.text(CODE);
    let function = made.symbol(
        "_RNvC1a1f",
        SymbolKind::Text,
        SymbolScope::Compilation,
        SymbolSection::Section(code),
        (0, CODE.len() as u64),
    );
    let target = made.0.section_symbol(texts);
    for (name, start) in [
        ("_RNvNvC1a1f16___HOTSWAP_SCHEMA", 0),
        ("__HOTSWAP_SCHEMA", 24),
    ] {
        made.data(name, SymbolScope::Compilation, schemas, (start, 24));
        made.relocate(schemas, start, target, elf::R_X86_64_64, 0);
    }
    made.relocate(schemas, 16, function, elf::R_X86_64_64, 0);
    let facts = inspect(&made.bytes()).unwrap();
    let functions = facts.schemas.iter().map(|it| it.function.as_deref());
    assert_eq!(functions.collect::<Vec<_>>(), [Some("_RNvC1a1f"), None]);
}

#[test]
fn functions_that_statics_point_at_are_told() {
    let mut made = Made::new();
    let data = made.section(".data.X", SectionKind::Data, &[0; 24]);
    made.data("_RNvC1a1X", SymbolScope::Compilation, data, (0, 24));
    let text = made.text(CODE);
    let function = made.symbol(
        "_RNvC1a1f",
        SymbolKind::Text,
        SymbolScope::Compilation,
        SymbolSection::Section(text),
        (0, CODE.len() as u64),
    );
    made.relocate(data, 8, function, elf::R_X86_64_64, 0);
    let section = made.0.section_symbol(text);
    made.relocate(data, 16, section, elf::R_X86_64_64, 0);
    let facts = inspect(&made.bytes()).unwrap();
    let pointers = facts.function_pointers.iter();
    let pointers = pointers.map(|it| (it.of.as_str(), it.offset, it.function.as_str()));
    let pointers: Vec<_> = pointers.collect();
    let expected = [
        ("_RNvC1a1X", 8, "_RNvC1a1f"),
        ("_RNvC1a1X", 16, "_RNvC1a1f"),
    ];
    assert_eq!(pointers, expected);
}

#[test]
fn initialisers_that_ran_are_dropped() {
    let mut made = Made::new();
    let text = made.text(CODE);
    let list = made.section(
        ".init_array",
        SectionKind::Elf(elf::SHT_INIT_ARRAY),
        &[0; 24],
    );
    made.0.section_mut(list).flags = SectionFlags::Elf {
        sh_flags: u64::from(elf::SHF_ALLOC | elf::SHF_WRITE),
    };
    let code = made.0.section_symbol(text);
    for (index, name) in ["_RNvC1a1A", "_RNvC1a1B", "_RNvC1a1C"]
        .into_iter()
        .enumerate()
    {
        made.data(name, SymbolScope::Compilation, list, (index as u64 * 8, 8));
        made.relocate(list, index as u64 * 8, code, elf::R_X86_64_64, index as i64);
    }
    let facts = inspect(&made.bytes()).unwrap();
    assert!(facts.statics.is_empty());
    let paths: Vec<&str> = facts
        .initialisers
        .iter()
        .map(|facts| facts.path.as_str())
        .collect();
    assert_eq!(paths, ["a::A", "a::B", "a::C"]);
    let dropped = HashSet::from(["_RNvC1a1B".to_owned()]);
    let bindings = Bindings {
        dropped_initialisers: dropped,
        ..Bindings::default()
    };
    let bytes = rewrite(&made.bytes(), &bindings).unwrap().bytes.unwrap();
    let found: Vec<(u64, i64)> = relocations(&bytes, ".init_array")
        .into_iter()
        .map(|(at, _, _, addend)| (at, addend))
        .collect();
    assert_eq!(found, [(0, 0), (8, 2)]);
    let file = ElfFile64::<Endianness>::parse(&*bytes).unwrap();
    assert_eq!(file.section_by_name(".init_array").unwrap().size(), 16);
}

#[test]
fn facts_follow_pointers() {
    let mut made = Made::new();
    let text = made.text(CODE);
    let code = made.0.section_symbol(text);
    let other = made.section(".rodata..Lanon.2", SectionKind::ReadOnlyData, b"other text");
    let other = made.0.section_symbol(other);
    let same = made.section(".rodata..Lanon.3", SectionKind::ReadOnlyData, b"one text");
    let same = made.0.section_symbol(same);
    let strings = made.section(".rodata..Lanon.1", SectionKind::ReadOnlyData, b"one text");
    let string = made.0.section_symbol(strings);
    let mut facts = Vec::new();
    for (name, target) in [("A", string), ("B", other), ("C", same), ("D", code)] {
        let data = made.section(&format!(".data.{name}"), SectionKind::Data, &[0; 16]);
        made.data(
            &format!("_RNvC1a1{name}"),
            SymbolScope::Linkage,
            data,
            (0, 16),
        );
        made.relocate(data, 8, target, elf::R_X86_64_64, 0);
    }
    facts.append(&mut inspect(&made.bytes()).unwrap().statics);
    let pointers = |index: usize| &facts[index].pointers;
    assert_eq!(pointers(0), pointers(2));
    assert_ne!(pointers(0), pointers(1));
    assert_eq!(*pointers(3), [(8, Pointee::Function("a::f".to_owned()))]);
    assert_eq!(facts[0].storage, Storage::Data);
    assert_eq!((facts[0].size, facts[0].align), (16, 8));
}

#[test]
fn entries_are_found_with_their_bodies() {
    let mut made = Made::new();
    let text = made.text(CODE);
    let place = SymbolSection::Section(text);
    for name in [
        "_RNCNvC1a5greet0B3_",
        "_RNCNvC1a5greets_0B3_",
        "_RNCNCNvC1a5greet00B5_",
        "_RNCNvC1a6greet20B3_",
    ] {
        made.symbol(
            name,
            SymbolKind::Text,
            SymbolScope::Compilation,
            place,
            (0, 4),
        );
    }
    let entries = made.section("hotswap_entries", SectionKind::Data, &[0; 32]);
    made.data(
        "_RNvNvC1a5greet15___HOTSWAP_ENTRY",
        SymbolScope::Compilation,
        entries,
        (0, 32),
    );
    let facts = inspect(&made.bytes()).unwrap();
    assert!(facts.statics.is_empty());
    let [entry] = facts.entries.as_slice() else {
        panic!("{:?}", facts.entries)
    };
    assert_eq!(entry.path, "a::greet");
    assert_eq!(entry.bodies, ["_RNCNvC1a5greet0B3_"]);
}
