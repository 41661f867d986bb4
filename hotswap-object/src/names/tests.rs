//! Tables of names.

use super::{canonical_path, identity, is_derived, is_item, positions};

#[test]
fn identities_leave_positions_out() {
    let table = [
        ("a::COUNT", "a::COUNT"),
        ("a::f::{closure#0}::X", "a::f::{closure}::X"),
        (
            "a::f::{closure#12}::{closure#3}::X",
            "a::f::{closure}::{closure}::X",
        ),
        ("<a::S as a::T>::f::X", "<a::S as a::T>::f::X"),
        (
            "a::T::{K#0}::{closure#1}::__RUST_STD_INTERNAL_VAL",
            "a::T::{K#0}::{closure#1}::__RUST_STD_INTERNAL_VAL",
        ),
        (
            "a::f::{closure#2}::T::{K#0}::{closure#1}::__RUST_STD_INTERNAL_VAL",
            "a::f::{closure}::T::{K#0}::{closure#1}::__RUST_STD_INTERNAL_VAL",
        ),
    ];
    for (path, expected) in table {
        assert_eq!(identity(path), expected);
    }
}

#[test]
fn canonical_paths_have_no_hashes() {
    let table = [
        ("_RNvNvCs4Q2Qx8jI5j6_1a4bump5INNER", "a::bump::INNER"),
        (
            "_RNvNCNKNvCs4Q2Qx8jI5j6_1a2CT0s_023___RUST_STD_INTERNAL_VAL",
            "a::CT::{K#0}::{closure#1}::__RUST_STD_INTERNAL_VAL",
        ),
        ("plain_name", "plain_name"),
    ];
    for (symbol, expected) in table {
        assert_eq!(canonical_path(symbol), expected);
    }
}

#[test]
fn positions_follow_the_source() {
    // One function's statics of equal names, in the order rustc numbers them.
    let symbols = [
        "_RNvNvCs4Q2Qx8jI5j6_1a1f1X",
        "_RNvNvCs4Q2Qx8jI5j6_1a1fs_1X",
        "_RNvNvCs4Q2Qx8jI5j6_1a1fs0_1X",
        "_RNvNvCs4Q2Qx8jI5j6_1a1fsa_1X",
        "_RNvNvCs4Q2Qx8jI5j6_1a1fs10_1X",
    ];
    let found: Vec<_> = symbols.iter().map(|symbol| positions(symbol)).collect();
    assert!(found.is_sorted(), "{found:?}");
    assert!(
        found
            .iter()
            .all(|positions| positions.len() == found[0].len())
    );
    // A closure's number comes before that of what is inside.
    let outer = positions("_RNvNCNvC1a1fs_0s_1X");
    let inner = positions("_RNvNCNvC1a1f0s0_1X");
    assert!(inner < outer, "{inner:?} {outer:?}");
    assert_eq!(outer, positions("__hotswap12__RNvNCNvC1a1fs_0s_1X"));
}

#[test]
fn positions_survive_odd_names() {
    for symbol in [
        "",
        "_R",
        "_RNv",
        "_RNvC99999999999999999999999a",
        "_RNvCs_",
        "_RNvMs",
        "ünïcödé",
        "_RB",
        "_RNvsss",
    ] {
        positions(symbol);
    }
}

#[test]
fn items_are_told_from_constants() {
    for symbol in ["_RNvC1a1X", "_ZN1a1X17h0123456789abcdefE", "exported"] {
        assert!(is_item(symbol), "{symbol}");
    }
    for symbol in [
        "",
        ".Lanon.1.2",
        "anon.1.2",
        "alloc_0123",
        "DW.ref.rust_eh_personality",
        "switch.table.f",
    ] {
        assert!(!is_item(symbol), "{symbol}");
    }
}

#[test]
fn split_statics_are_told() {
    for symbol in [
        "_RNvC1a1X.0",
        "_RNvC1a1X.llvm.123",
        "_ZN1a1X17h0123456789abcdefE.1",
    ] {
        assert!(is_derived(symbol), "{symbol}");
    }
    for symbol in ["_RNvC1a1X", "a.0", "_ZN1a3a..b17h0123456789abcdefE"] {
        assert!(!is_derived(symbol), "{symbol}");
    }
}
