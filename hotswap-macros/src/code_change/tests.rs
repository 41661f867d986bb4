//! Snapshots of both forms.

use insta::assert_snapshot;
use proc_macro2::TokenStream;

use crate::expand::Form;

fn expand(item: &str, form: Form) -> String {
    let output = super::expand(TokenStream::new(), item.parse().unwrap(), form);
    let file = syn::parse2(output.clone());
    prettyplease::unparse(&file.unwrap_or_else(|error| panic!("{error}: {output}")))
}

#[test]
fn fields_by_name_and_type() {
    assert_snapshot!(expand(
        "/// Grows.
        pub(crate) fn grow(
            old: &Old<'_>,
            hp: &u32,
            #[field(\"0\")] r#type: &Vec<Item>,
            #[field(\"Open.since\")] since: Option<&std::time::Instant>,
        ) -> Result<World<u8>, String> { World::grown(hp) }",
        Form::Hot
    ));
}

#[test]
fn the_way_back() {
    let options = "down, crate = my::hotswap".parse().unwrap();
    let item = "fn shrink(old: &Old, world: &World) -> Before { Before::of(world) }";
    let output = super::expand(options, item.parse().unwrap(), Form::Hot);
    assert_snapshot!(prettyplease::unparse(&syn::parse2(output).unwrap()));
}

#[test]
fn no_fields_at_all() {
    assert_snapshot!(expand(
        "fn fresh(old: &Old) -> dep::Cache { dep::Cache::new() }",
        Form::Plain
    ));
}
