//! How references to state are rewritten, and which are refused.

use hotswap_object::{Binding, Bindings, Form, RewriteError, expose, inspect, rewrite};
use object::elf;
use object::read::elf::ElfFile64;
use object::read::{Object as _, ObjectSection as _, ObjectSymbol as _};
use object::write::SymbolSection;
use object::{Endianness, SectionFlags, SectionKind, SymbolKind, SymbolScope};

use crate::made::{CODE, INCREMENT, LEA, LOAD, Made, bind, host, refusal, relocations};

#[test]
fn code_reaches_the_host() {
    let mut made = Made::new();
    let data = made.section(".bss.X", SectionKind::UninitializedData, &[0; 16]);
    made.data("_RNvC1a1X", SymbolScope::Compilation, data, (0, 16));
    let through = made.0.section_symbol(data);
    let text = made.text(CODE);
    made.relocate(text, LEA, through, elf::R_X86_64_PC32, -4);
    made.relocate(text, LOAD, through, elf::R_X86_64_PC32, 4);
    made.relocate(text, INCREMENT, through, elf::R_X86_64_PC32, -4);
    let rewritten = rewrite(&made.bytes(), &bind(&[("_RNvC1a1X", host("_RNvC1h1X"))])).unwrap();
    for form in [Form::LeaInPlace, Form::DestinationThunk, Form::SpillThunk] {
        assert_eq!(rewritten.counts.get(form), 1, "{form:?}");
    }
    let bytes = rewritten.bytes.unwrap();
    let found = relocations(&bytes, ".text.f");
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|(_, name, kind, addend)| {
        name == "_RNvC1h1X" && *kind == elf::R_X86_64_REX_GOTPCRELX && *addend == -4
    }));
    let file = ElfFile64::<Endianness>::parse(&*bytes).unwrap();
    let code = file.section_by_name(".text.f").unwrap();
    assert_eq!(code.data().unwrap()[1], 0x8b);
    let function = file.symbol_by_name("_RNvC1a1f").unwrap();
    assert_eq!(function.size(), code.size());
    let vacated = file.section_by_name(".bss.X").unwrap();
    let SectionFlags::Elf { sh_flags } = vacated.flags() else {
        unreachable!()
    };
    assert_ne!(sh_flags & u64::from(elf::SHF_EXCLUDE), 0);
}

#[test]
fn statics_that_share_a_section_are_told_by_offset() {
    let mut made = Made::new();
    let data = made.section(".data", SectionKind::Data, &[1; 32]);
    made.data("_RNvC1a1X", SymbolScope::Compilation, data, (0, 8));
    made.data("_RNvC1a1Y", SymbolScope::Compilation, data, (16, 8));
    let through = made.0.section_symbol(data);
    let pointers = made.section(".data.rel.ro.P", SectionKind::ReadOnlyDataWithRel, &[0; 24]);
    made.relocate(pointers, 0, through, elf::R_X86_64_64, 4);
    made.relocate(pointers, 8, through, elf::R_X86_64_64, 16);
    let bindings = bind(&[
        ("_RNvC1a1X", host("_RNvC1a1X")),
        ("_RNvC1a1Y", Binding::Image),
    ]);
    let bytes = rewrite(&made.bytes(), &bindings).unwrap().bytes.unwrap();
    let found = relocations(&bytes, ".data.rel.ro.P");
    assert_eq!(found[0], (0, "_RNvC1a1X".to_owned(), elf::R_X86_64_64, 4));
    assert_eq!(found[1], (8, ".data".to_owned(), elf::R_X86_64_64, 16));
    made.relocate(pointers, 16, through, elf::R_X86_64_64, 12);
    assert!(refusal(&made, &bindings).contains("between the statics"));
}

#[test]
fn what_cannot_be_redirected_is_refused() {
    let cases: [(&str, SectionKind, u32); 4] = [
        (".rodata.P", SectionKind::ReadOnlyData, elf::R_X86_64_PC32),
        (
            ".data.rel.ro.P",
            SectionKind::ReadOnlyDataWithRel,
            elf::R_X86_64_32,
        ),
        (".text.P", SectionKind::Text, elf::R_X86_64_64),
        (".text.P", SectionKind::Text, elf::R_X86_64_GOTOFF64),
    ];
    for (name, kind, relocation) in cases {
        let mut made = Made::new();
        let data = made.section(".data.X", SectionKind::Data, &[1; 8]);
        let symbol = made.data("_RNvC1a1X", SymbolScope::Linkage, data, (0, 8));
        let place = made.section(name, kind, &[0x90; 16]);
        made.relocate(place, 0, symbol, relocation, 0);
        let message = refusal(&made, &bind(&[("_RNvC1a1X", host("_RNvC1a1X"))]));
        assert!(
            message.contains("_RNvC1a1X") && message.contains(name),
            "{message}"
        );
    }
}

#[test]
fn data_among_code_is_refused() {
    let mut made = Made::new();
    let data = made.section(".data.X", SectionKind::Data, &[1; 8]);
    let symbol = made.data("_RNvC1a1X", SymbolScope::Linkage, data, (0, 8));
    // An opcode that doesn't exist, then what looks like a load.
    let text = made.text(&[0x06, 0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xc3]);
    made.relocate(text, 4, symbol, elf::R_X86_64_PC32, -4);
    assert!(refusal(&made, &bind(&[("_RNvC1a1X", host("_RNvC1a1X"))])).contains("no instruction"));
}

#[test]
fn memory_without_a_name_is_refused_where_code_uses_it() {
    let mut made = Made::new();
    let nameless = made.section(".data..Lanon.1", SectionKind::Data, &[1; 8]);
    let through = made.0.section_symbol(nameless);
    let data = made.section(".data.X", SectionKind::Data, &[0; 8]);
    made.data("_RNvC1a1X", SymbolScope::Linkage, data, (0, 8));
    made.relocate(data, 0, through, elf::R_X86_64_64, 0);
    let bindings = bind(&[("_RNvC1a1X", Binding::Image)]);
    assert!(rewrite(&made.bytes(), &bindings).is_ok());
    let text = made.text(CODE);
    made.relocate(text, LEA, through, elf::R_X86_64_PC32, -4);
    assert!(refusal(&made, &bindings).contains("no name"));
}

#[test]
fn bindings_that_contradict_the_symbol_are_refused() {
    let mut made = Made::new();
    let data = made.section(".data.X", SectionKind::Data, &[1; 8]);
    made.data("_RNvC1a1X", SymbolScope::Linkage, data, (0, 8));
    let bytes = made.bytes();
    let wrong = bind(&[("_RNvC1a1X", Binding::HostThreadLocal { offset: -8 })]);
    assert!(matches!(
        rewrite(&bytes, &wrong),
        Err(RewriteError::Binding { .. })
    ));
    assert!(matches!(
        rewrite(&bytes, &Bindings::default()),
        Err(RewriteError::Unbound { .. })
    ));
}

#[test]
fn own_thread_locals_leave_the_local_exec_model() {
    let mut made = Made::new();
    let data = made.section(".tbss.T", SectionKind::UninitializedTls, &[0; 8]);
    let place = SymbolSection::Section(data);
    let symbol = made.symbol(
        "_RNvC1a1T",
        SymbolKind::Tls,
        SymbolScope::Linkage,
        place,
        (0, 8),
    );
    // mov %fs:0,%rax; lea T@tpoff(%rax),%rax; mov $T@tpoff,%rcx; ret
    let text = made.text(&[
        0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x8d, 0x80, 0, 0, 0, 0, 0x48, 0xc7, 0xc1,
        0, 0, 0, 0, 0xc3,
    ]);
    made.relocate(text, 12, symbol, elf::R_X86_64_TPOFF32, 0);
    made.relocate(text, 19, symbol, elf::R_X86_64_TPOFF32, 0);
    let own = rewrite(&made.bytes(), &bind(&[("_RNvC1a1T", Binding::Image)])).unwrap();
    assert_eq!(own.counts.get(Form::ThreadOffset), 2);
    let found = relocations(&own.bytes.unwrap(), ".text.f");
    assert!(
        found
            .iter()
            .all(|(_, _, kind, _)| *kind == elf::R_X86_64_GOTTPOFF),
        "{found:?}"
    );
    let shared = Binding::Global {
        symbol: "_RNvC1a1T".to_owned(),
    };
    let shared = rewrite(&made.bytes(), &bind(&[("_RNvC1a1T", shared)])).unwrap();
    assert_eq!(shared.counts.get(Form::ThreadOffset), 2);
    let shared = shared.bytes.unwrap();
    let file = ElfFile64::<Endianness>::parse(&*shared).unwrap();
    assert!(file.symbol_by_name("_RNvC1a1T").unwrap().is_undefined());
    let distance = Binding::HostThreadLocal { offset: -24 };
    let bound = rewrite(&made.bytes(), &bind(&[("_RNvC1a1T", distance)]))
        .unwrap()
        .bytes
        .unwrap();
    assert!(relocations(&bound, ".text.f").is_empty());
    let file = ElfFile64::<Endianness>::parse(&*bound).unwrap();
    let code = file.section_by_name(".text.f").unwrap().data().unwrap();
    assert_eq!(code[12..16], (-24_i32).to_le_bytes());
    assert_eq!(code[19..23], (-24_i32).to_le_bytes());
}

#[test]
fn many_sections_are_no_obstacle() {
    let mut made = Made::new();
    for _ in 0..66_000 {
        made.0.add_section(
            Vec::new(),
            b".comment.filler".to_vec(),
            SectionKind::OtherString,
        );
    }
    let data = made.section(".data.X", SectionKind::Data, &[1; 8]);
    made.data("_RNvC1a1X", SymbolScope::Compilation, data, (0, 8));
    let through = made.0.section_symbol(data);
    let text = made.text(CODE);
    made.relocate(text, LEA, through, elf::R_X86_64_PC32, -4);
    let exposed = expose(&made.bytes()).unwrap().unwrap();
    let facts = inspect(&exposed).unwrap();
    let twin = facts
        .symbols
        .iter()
        .filter(|symbol| symbol.name == "_RNvC1a1X");
    assert_eq!(
        twin.map(|symbol| symbol.section.as_str())
            .collect::<Vec<_>>(),
        [".data.X", ".data.X"]
    );
    let bindings = bind(&[("_RNvC1a1X", host("_RNvC1a1X"))]);
    let bytes = rewrite(&made.bytes(), &bindings).unwrap().bytes.unwrap();
    assert_eq!(relocations(&bytes, ".text.f")[0].1, "_RNvC1a1X");
}

#[test]
fn read_only_statics_are_the_hosts_where_they_are_bound_to_it() {
    let mut made = Made::new();
    let constant = made.section(".rodata.X", SectionKind::ReadOnlyData, &[1; 8]);
    made.data("_RNvC1a1X", SymbolScope::Compilation, constant, (0, 8));
    let through = made.0.section_symbol(constant);
    let text = made.text(CODE);
    made.relocate(text, LEA, through, elf::R_X86_64_PC32, -4);
    let table = made.section(".data.rel.ro.T", SectionKind::ReadOnlyDataWithRel, &[0; 8]);
    made.relocate(table, 0, through, elf::R_X86_64_64, 0);
    let own = rewrite(&made.bytes(), &Bindings::default()).unwrap();
    assert!(own.bytes.is_none());
    let bindings = bind(&[("_RNvC1a1X", host("_RNvC1a1X"))]);
    let bytes = rewrite(&made.bytes(), &bindings).unwrap().bytes.unwrap();
    assert_eq!(relocations(&bytes, ".text.f")[0].1, "_RNvC1a1X");
    assert_eq!(relocations(&bytes, ".data.rel.ro.T")[0].1, "_RNvC1a1X");
    let facts = inspect(&bytes).unwrap();
    assert!(facts.undefined.contains(&"_RNvC1a1X".to_owned()));
}

#[test]
fn data_of_the_image_itself_keeps_direct_references() {
    let mut sibling = Made::new();
    let table = sibling.section(".rodata.T", SectionKind::ReadOnlyData, &[1; 8]);
    sibling.data("_RNvC1a1T", SymbolScope::Linkage, table, (0, 8));
    let mut made = Made::new();
    let text = made.text(CODE);
    let kind = SymbolKind::Unknown;
    let scope = SymbolScope::Linkage;
    let symbol = made.symbol("_RNvC1a1T", kind, scope, SymbolSection::Undefined, (0, 0));
    made.relocate(text, LOAD, symbol, elf::R_X86_64_PC32, -4);
    let mut bindings = Bindings::default();
    let unknown = rewrite(&made.bytes(), &bindings).unwrap();
    assert_eq!(unknown.counts.get(Form::DestinationThunk), 1);
    bindings.bind_own(&inspect(&sibling.bytes()).unwrap());
    assert!(rewrite(&made.bytes(), &bindings).unwrap().bytes.is_none());
}
