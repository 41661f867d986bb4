//! Snapshots of both forms, and mistakes.

use insta::assert_snapshot;
use proc_macro2::TokenStream;

use super::When;
use crate::expand::Form;

fn expand(when: &'static str, options: &str, item: &str, form: Form) -> String {
    let item: TokenStream = item.parse().unwrap();
    let output = super::expand(When(when), options.parse().unwrap(), item, form);
    let file = syn::parse2(output.clone());
    prettyplease::unparse(&file.unwrap_or_else(|error| panic!("{error}: {output}")))
}

#[test]
fn a_function_that_may_refuse() {
    let item = "/// Looks.\npub(crate) fn check() -> Result<(), String> { look() }";
    assert_snapshot!(expand("on_load", "", item, Form::Hot));
}

#[test]
fn one_that_wants_to_know_the_versions() {
    let item = "fn r#move(swap: hotswap::Swap) { moved(swap.to) }";
    assert_snapshot!(expand(
        "after_swap",
        "crate = my::hotswap",
        item,
        Form::Plain
    ));
}

#[test]
fn mistakes_are_named() {
    for (item, expected) in [
        ("struct A;", "`on_purge` stands on a function"),
        ("async fn a() {}", "can't be `async`"),
        ("fn a<T>() {}", "can't be generic"),
        ("const fn a() {}", "can't be `const`"),
        ("extern \"C\" fn a() {}", "can't be `extern`"),
        ("unsafe fn a() {}", "can't be `unsafe`"),
        (
            "fn a(x: u8, y: u8) {}",
            "takes nothing, or one `hotswap::Swap`",
        ),
        ("fn a(&self) {}", "is no method"),
    ] {
        for form in [Form::Plain, Form::Hot] {
            let text = expand("on_purge", "", item, form);
            assert!(
                text.contains("compile_error") && text.contains(expected),
                "{text}"
            );
        }
    }
    let text = expand("on_load", "late", "fn a() {}", Form::Plain);
    assert!(
        text.contains("there is only `crate = path::to::hotswap`"),
        "{text}"
    );
}
