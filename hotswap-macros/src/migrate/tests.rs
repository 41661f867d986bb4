//! Snapshots of both forms.

use insta::assert_snapshot;
use proc_macro2::TokenStream;

use crate::expand::Form;

fn expand(item: &str, form: Form) -> String {
    let output = super::derive(item.parse::<TokenStream>().unwrap(), form);
    let file = syn::parse2(output.clone());
    prettyplease::unparse(&file.unwrap_or_else(|error| panic!("{error}: {output}")))
}

#[test]
fn a_struct() {
    assert_snapshot!(expand(
        "pub struct World {
            round: u64,
            #[migrate(was = \"all\")] players: Vec<super::Player>,
            #[migrate(default = 100 + 1)] r#type: u32,
            #[migrate(was = \"hp: (u32,)\", back = down)] health: u64,
            #[migrate(with = parse::number)] pub(crate) number: Option<&'static str>,
        }",
        Form::Hot
    ));
}

#[test]
fn elements_that_wait() {
    let item = "struct World { #[migrate(lazy)] all: Pieces<Player> }";
    assert_snapshot!(
        [Form::Hot, Form::Plain]
            .map(|form| expand(item, form))
            .concat()
    );
}

#[test]
fn a_generic_tuple() {
    assert_snapshot!(expand(
        "#[migrate(crate = my::hotswap)]
        struct Pair<'a, T: Copy, const N: usize>(&'a [T; N], #[migrate(was = \"2\")] T) where T: Send;",
        Form::Hot
    ));
}

#[test]
fn an_enum() {
    assert_snapshot!(expand(
        "enum State<T> {
            Idle,
            #[migrate(was = \"Opened\")]
            Open { #[migrate(was = \"at: u32\")] since: u64, by: T },
            Pair(T, #[migrate(default = None)] Option<T>),
        }",
        Form::Hot
    ));
}

#[test]
fn variants_that_functions_make() {
    let source = "enum Door { #[migrate(was = \"Open\", with = ajar)] Ajar(u64), Shut }";
    let [hot, plain] = [Form::Hot, Form::Plain].map(|form| {
        let text = expand(source, form);
        text.split_whitespace().collect::<String>()
    });
    let described = r"variantAjar\nwasOpen\nwith\nfieldAjar.0u64";
    assert!(hot.contains(described), "{hot}");
    for (text, named) in [(&hot, ".with_function("), (&plain, "::Run=")] {
        let (_, rest) = text.split_once(named).unwrap_or_else(|| panic!("{text}"));
        assert!(
            rest.contains("of_fields::<Self,_,_>(ajar,")
                || rest.contains("of_fields::<Self,_,_,>(ajar,"),
            "{text}"
        );
    }
}

#[test]
fn several_former_names() {
    let source = "enum Door { #[migrate(was = \"Open\", was = \"Self\")] Ajar { #[migrate(was = \"a\")] #[migrate(was = \"type: u8\")] by: u16 } }";
    let text = expand(source, Form::Hot);
    let described =
        r"variant Ajar\nwas Open\nwas Self\nfield Ajar.by u16\nwas a\nwas type\nwas-type u8\n";
    assert!(text.contains(described), "{text}");
}

#[test]
fn containers() {
    assert_snapshot!(expand(
        "#[migrate(container(T))]
        struct Arena<S, T: Copy, const N: usize> { all: [Vec<T>; N], by: S }",
        Form::Hot
    ));
    assert_snapshot!(expand(
        "#[migrate(container(K, V))] struct Map<K, V>(Vec<(K, V)>);",
        Form::Plain
    ));
}

#[test]
fn types_without_fields() {
    assert_snapshot!(expand("struct Unit;", Form::Hot) + &expand("enum Never {}", Form::Hot));
}

#[test]
fn the_plain_form_names_the_functions() {
    assert_snapshot!(
        expand(
            "struct World<T> { #[migrate(with = parse, back = print)] a: T, #[migrate(default = 5)] b: u8, c: T }",
            Form::Plain
        ) + &expand("enum State { Idle, Open { by: String } }", Form::Plain)
    );
}
